//! What policy reveals: the tags that a session sees, through a whole pipeline, as policies change.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::clock::SystemClock;
use portcullis_core::gate::{Answer, Gate, Ports, Session, TargetSpec};
use portcullis_core::identity::Proof;
use portcullis_core::masking::{Field, Rules, Settings, Tag, Tags};
use portcullis_core::operation::{Effects, Operation, Parameters};
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::recording::Status;
use portcullis_core::secret::Secret;
use portcullis_testkit::fakes::{FakeApprovals, FakeConnector, FakeIdentity, FakeRecorder, TOKEN};

use super::fixture::{READ, does, folder, load, write};
use crate::policy::CedarPolicy;

const READS: &str = "@id(\"reads\") permit (principal, action == Action::\"t:read\", resource);\n";

fn rules() -> Rules {
    let columns = ["email", "card"].map(|name| (format!("public.customers.{name}"), Tag::new(name)));
    Rules::new(&Settings { columns: columns.into(), ..Settings::default() }).unwrap()
}

async fn session(policy: Arc<CedarPolicy>, recorder: &Arc<FakeRecorder>) -> Session {
    let ports = Ports {
        identity: Arc::new(FakeIdentity::default()),
        policy,
        approvals: Arc::new(FakeApprovals::default()),
        recorder: recorder.clone(),
        clock: Arc::new(SystemClock),
        sessions: Arc::default(),
    };
    let target = TargetSpec {
        name: String::from("shop"),
        labels: Vec::new(),
        protocol: "t",
        family: "t",
        max_age: Duration::from_secs(3_600),
        end_with_token: false,
        masking: rules(),
        recorded_results: 0,
        connector: Arc::new(FakeConnector::new(|_| Box::pin(std::future::ready(())))),
    };
    let gate = Gate::new(ports, Arc::new(target), Ipv4Addr::LOCALHOST.into());
    gate.identify(Proof::Bearer(Secret::new(TOKEN.to_owned())), "test").await.unwrap()
}

fn permit(session: &Session) -> Permit {
    let effects = Effects::new(vec![does(READ)]);
    let operation = Operation {
        kind: "Read",
        statement: b"read",
        parameters: Parameters::default(),
        effects: &effects,
        account: "",
        in_transaction: false,
        carries: Tags::NONE,
    };
    match session.decide(&operation) {
        Answer::Permit(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn hidden(permit: &Permit) -> Vec<&str> {
    permit.view().into_iter().flat_map(|view| view.rules().names(view.all())).map(Tag::name).collect()
}

/// What is hidden from the fake agent under these policies, beside one that lets it read.
async fn hidden_under(policies: &str) -> Vec<String> {
    let dir = folder(&format!("{READS}{policies}"));
    let session = session(Arc::new(load(dir.path()).unwrap()), &Arc::default()).await;
    hidden(&permit(&session)).into_iter().map(String::from).collect()
}

#[tokio::test]
async fn only_what_is_permitted_without_an_ask_is_revealed() {
    let reveal = "action == Action::\"reveal\"";
    for (policies, wanted) in [
        (String::new(), &["card", "email"][..]),
        (format!("@id(\"r\") permit (principal, {reveal}, resource in Target::\"shop\");"), &[]),
        (format!("@id(\"r\") permit (principal, {reveal}, resource == Tag::\"shop/email\");"), &["card"]),
        (
            format!("@id(\"r\") permit (principal, {reveal}, resource) when {{ resource.name == \"card\" }};"),
            &["email"],
        ),
        (format!("@id(\"r\") permit (principal, {reveal}, resource in Target::\"ledger\");"), &["card", "email"]),
        (format!("@id(\"r\") permit (principal in Group::\"fake:humans\", {reveal}, resource);"), &["card", "email"]),
        (format!("@id(\"r\") @approval(\"okta:dba\") permit (principal, {reveal}, resource);"), &["card", "email"]),
        (
            format!(
                "@id(\"r\") permit (principal, {reveal}, resource);\n@id(\"f\") forbid (principal, {reveal}, resource == \
                 Tag::\"shop/card\");"
            ),
            &["card"],
        ),
    ] {
        assert_eq!(hidden_under(&policies).await, wanted, "{policies}");
    }
}

#[tokio::test]
async fn reload_reveals_and_hides_from_the_next_operation_on() {
    let dir = folder(READS);
    let policy = Arc::new(load(dir.path()).unwrap());
    let session = session(policy.clone(), &Arc::default()).await;
    let before = permit(&session);
    assert_eq!(hidden(&before), ["card", "email"]);
    assert!(Arc::ptr_eq(before.view().unwrap(), permit(&session).view().unwrap()), "one view a revision");
    write(dir.path(), &format!("{READS}@id(\"r\") permit (principal, action == Action::\"reveal\", resource);"));
    assert!(policy.reload().unwrap());
    assert!(permit(&session).view().is_none());
    assert_eq!(hidden(&before), ["card", "email"]);
    write(dir.path(), READS);
    assert!(policy.reload().unwrap());
    assert_eq!(hidden(&permit(&session)), ["card", "email"]);
}

#[tokio::test]
async fn a_reveal_that_reads_the_clock_is_asked_for_again() {
    let young = "@id(\"r\") permit (principal, action == Action::\"reveal\", resource) when { context.session_age < \
                 duration(\"150ms\") };";
    let dir = folder(&format!("{READS}{young}"));
    let session = session(Arc::new(load(dir.path()).unwrap()), &Arc::default()).await;
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while hidden(&permit(&session)).is_empty() {
        assert!(std::time::Instant::now() < deadline, "the session grows older");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(hidden(&permit(&session)), ["card", "email"]);
}

#[tokio::test]
async fn outcome_says_what_was_masked() {
    let dir = folder(READS);
    let recorder = Arc::new(FakeRecorder::default());
    let session = session(Arc::new(load(dir.path()).unwrap()), &recorder).await;
    let mut first = permit(&session);
    let tags = first.view().unwrap().tags_of("public", "customers", "email");
    for value in [b"ada@example.com", b"bob@example.com"] {
        let masked = first.mask(&Field { tags, ..Field::CLEAN }, value);
        assert_eq!(masked.bytes(), Some(&b"[masked]"[..]));
    }
    let message = first.mask(&Field::TEXT, b"READ 2");
    first.finish(&Outcome { status: Status::Completed, message, code: "", rows: 2, bytes: 16 }).unwrap();
    let outcome = recorder.of("outcome").pop().unwrap();
    assert_eq!(outcome["masked"], serde_json::json!({ "email": 2 }));
    let mut second = permit(&session);
    let message = second.mask(&Field::TEXT, b"READ 0");
    second.finish(&Outcome { status: Status::Completed, message, code: "", rows: 0, bytes: 0 }).unwrap();
    assert!(recorder.of("outcome").pop().unwrap().get("masked").is_none());
}
