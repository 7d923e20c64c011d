//! The control API over real sockets: who sees what, who may answer, and what is refused.
#![expect(clippy::panic, clippy::unwrap_used, reason = "scripts of the tests' own")]

mod archive;
mod audit;
mod document;
mod notify;
mod policies;
mod recording;
mod sessions;
mod sign_in;
mod tickets;
mod tunnel;
mod walk;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_control::api::{Ended, Failure, Listed, Me, Shown};
use portcullis_control::ask::State;
use portcullis_control::authority::Authority;
use portcullis_control::notify::Receiver;
use portcullis_control::{Control, Ports, Settings};
use portcullis_core::BoxFuture;
use portcullis_core::approval::{Approvals, Ask, Verdict};
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Kind, Proof, Tickets};
use portcullis_core::operation::{Effect, Effects, Resource};
use portcullis_core::policy::{Decision, Policy, Question, Ruling, Subject, Terms};
use portcullis_core::sessions::{Ending, Sessions};
use portcullis_core::vocabulary::Action;
use portcullis_testkit::fakes::FakeRecorder;
use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::archive::MemoryArchive;

/// Every known token, with whom it names.
struct People(HashMap<&'static str, Identity>);

impl IdentitySource for People {
    fn identify<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        let Proof::Bearer(token) = proof;
        let found = match token.expose().as_str() {
            "expired" => Err(IdentityError::Expired),
            "offline" => Err(IdentityError::Unavailable("the issuer is away".into())),
            token => self.0.get(token).cloned().ok_or_else(|| IdentityError::Rejected("it is not known".into())),
        };
        Box::pin(async { found })
    }
}

fn identity(subject: &str, email: &str, groups: &[&str]) -> Identity {
    Identity {
        issuer: "https://id.example.com".into(),
        subject: subject.into(),
        kind: Kind::User,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        email: Some(email.into()),
        actors: Vec::new(),
        token: Some(format!("jti-{subject}")),
        authenticated: Some(SystemTime::now()),
        expires: SystemTime::now() + Duration::from_secs(3600),
    }
}

fn people() -> People {
    let dba = |name: &str| identity(name, &format!("{name}@example.com"), &["dba"]);
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    People(HashMap::from([
        ("dana", dba("dana")),
        ("erin", dba("erin")),
        (
            "dana-again",
            Identity { issuer: "https://other.example.com".into(), ..identity("d2", "dana@example.com", &["dba"]) },
        ),
        ("vendor", identity("vendor", "vendor@example.com", &["vendors"])),
        ("vendor-as-dba", identity("v2", "vendor@example.com", &["dba"])),
        ("eve", identity("eve", "eve@example.com", &["vendors"])),
        ("robot", Identity { kind: Kind::Workload, ..dba("robot") }),
        ("assisted", Identity { actors: vec!["agent".into()], ..dba("alex") }),
        ("stale", Identity { authenticated: Some(long_ago), ..dba("sasha") }),
        ("undated", Identity { authenticated: None, ..dba("uma") }),
        ("operator", identity("olga", "olga@example.com", &["secops"])),
        ("auditor", identity("ada", "ada@example.com", &["auditors"])),
    ]))
}

/// `secops` may do everything in the control plane, and `auditors` look at what is about the target
/// `shop`.
struct ByGroup;

impl Policy for ByGroup {
    fn decide(&self, question: &Question<'_>) -> Arc<Ruling> {
        let Subject { identity, target, .. } = question.subject;
        let is_in = |group: &str| identity.groups.iter().any(|own| own == group);
        let reads = question.effects.list().iter().all(|effect| effect.action.name().ends_with(":read"));
        let allowed = is_in("secops") || (is_in("auditors") && target == "shop" && reads);
        let decision = if allowed { Decision::Allow } else { Decision::Deny };
        Arc::new(Ruling { decision, policies: vec![], reason: "by group".into(), revision: Arc::from("1") })
    }
}

struct Plane {
    address: SocketAddr,
    approvals: Arc<dyn Approvals>,
    tickets: Arc<dyn Tickets>,
    archive: Arc<MemoryArchive>,
    sessions: Arc<Sessions>,
    recorder: Arc<FakeRecorder>,
    client: Client,
    serving: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Plane {
    async fn start() -> Self {
        Self::telling(tempfile::tempdir().unwrap(), Vec::new()).await
    }

    /// In a folder that another may have left, with these receivers of notifications.
    async fn telling(folder: tempfile::TempDir, notify: Vec<Receiver>) -> Self {
        install_provider();
        let settings = Settings {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            url: Some("https://portcullis.example.com/".into()),
            database: folder.path().join("deep/control.sqlite"),
            max_login_age: Duration::from_secs(3600),
            sign_in_lasts: Duration::from_secs(1800),
            notify,
        };
        let control = Control::open(settings, false).await.unwrap();
        let (address, approvals, tickets) = (control.address().unwrap(), control.approvals(), control.tickets());
        let sessions: Arc<Sessions> = Arc::default();
        let archive: Arc<MemoryArchive> = Arc::default();
        let recorder: Arc<FakeRecorder> = Arc::default();
        let serving = tokio::spawn(control.serve(Ports {
            identity: Arc::new(people()),
            issuers: sign_in::issuers(),
            authority: Authority::new(Arc::new(ByGroup), HashMap::new()),
            archive: Arc::clone(&archive) as _,
            policies: Arc::new(policies::NoDrops),
            vitals: Arc::new(policies::TwoTargets),
            recorder: Arc::clone(&recorder) as _,
            sessions: Arc::clone(&sessions),
            doors: Arc::new(tunnel::Shop),
            tls: None,
        }));
        Self {
            address,
            approvals,
            tickets,
            archive,
            sessions,
            recorder,
            client: Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap(),
            serving,
            folder,
        }
    }

    /// The vendor asks; the id, and the verdict to come.
    fn ask(&self, number: u8, quorum: u32) -> (String, tokio::task::JoinHandle<Verdict>) {
        let vendor = identity("vendor", "vendor@example.com", &["vendors"]);
        let now = SystemTime::now();
        let subject =
            Subject::new(vendor, "shop".into(), vec![], "sql", Ipv4Addr::LOCALHOST.into(), "psql".into(), now);
        let terms = Terms { groups: vec![vec!["dba".into()]], quorum, ttl: Duration::from_secs(60) };
        let ruling = Ruling {
            decision: Decision::AskFirst(terms),
            policies: vec!["vendor-writes-need-a-dba".into()],
            reason: "a vendor's changes need a DBA's yes".into(),
            revision: Arc::from("r1"),
        };
        let effect = Effect {
            action: Action::new("sql:delete"),
            resource: Resource::new("Table", ["shop", "public", "orders"]),
            facts: std::collections::BTreeMap::new(),
        };
        let waiting = self.approvals.ask(&Ask {
            subject: &subject,
            session: "gate-0000000001",
            statement: b"DELETE FROM orders\xe2\x80\xae\xff",
            values: b"",
            effects: &Effects::new(vec![effect]),
            account: "app",
            in_transaction: false,
            fingerprint: &[number; 32],
            ruling: &ruling,
            asked: now,
        });
        let waiting = waiting.unwrap();
        let notice = waiting.notice().clone();
        assert_eq!(notice.url, format!("https://portcullis.example.com/asks/{}", notice.id));
        (notice.id, tokio::spawn(waiting.verdict()))
    }

    /// As [`ask`](Self::ask), and waits until approvers see it.
    async fn asked(&self, number: u8, quorum: u32) -> (String, tokio::task::JoinHandle<Verdict>) {
        let (id, waiting) = self.ask(number, quorum);
        while self.status(Method::GET, "dana", &format!("asks/{id}"), None).await.0 != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        (id, waiting)
    }

    async fn status(&self, method: Method, token: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("http://{}/v1/{path}", self.address));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn good<T: DeserializeOwned>(&self, method: Method, token: &str, path: &str, body: Option<Value>) -> T {
        let (status, answer) = self.status(method, token, path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        serde_json::from_value(answer).unwrap()
    }

    async fn refused(&self, method: Method, token: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let (status, answer) = self.status(method, token, path, body).await;
        let failure: Failure = serde_json::from_value(answer).unwrap();
        assert!(!failure.message.is_empty());
        (status.as_u16(), failure.code)
    }

    async fn says(&self, token: &str, id: &str, verb: &str) -> (u16, String) {
        self.refused(Method::POST, token, &format!("asks/{id}/{verb}"), Some(json!({ "reason": "looked at it" }))).await
    }

    async fn yes(&self, token: &str, id: &str) -> Shown {
        self.good(Method::POST, token, &format!("asks/{id}/approve"), Some(json!({ "reason": "looked at it" }))).await
    }
}

/// The one TLS stack of the house, though these sockets are plain.
fn install_provider() {
    // Another test of this process may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[tokio::test]
async fn approver_sees_the_exact_statement_and_lets_it_go_on() {
    let plane = Plane::start().await;
    let (id, waiting) = plane.asked(1, 1).await;
    let Listed { asks } = plane.good(Method::GET, "dana", "asks?state=pending", None).await;
    assert_eq!(asks.len(), 1);
    let shown: Shown = plane.good(Method::GET, "dana", &format!("asks/{id}"), None).await;
    assert_eq!(shown, asks[0]);
    assert_eq!(shown.ask.statement, b"DELETE FROM orders\xe2\x80\xae\xff");
    assert_eq!(shown.statement_text, "DELETE FROM orders\u{202e}\u{fffd}");
    assert_eq!(shown.ask.effects[0]["action"], "sql:delete");
    assert_eq!(shown.ask.account, "app");
    let answered = plane.yes("dana", &id).await;
    assert!(matches!(answered.ask.state, State::Approved));
    assert!(matches!(waiting.await.unwrap(), Verdict::Approved(said) if said[0].contains("dana@example.com")));
    let used: Shown = plane.good(Method::GET, "vendor", &format!("asks/{id}"), None).await;
    assert_eq!((used.ask.state, &*used.ask.answers[0].reason), (State::Used, "looked at it"));
}

#[tokio::test]
async fn whoever_is_not_proven_sees_nothing() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    let one = format!("asks/{id}");
    for (token, status, code) in [
        ("", 401, "no-token"),
        ("forged", 401, "token-rejected"),
        ("expired", 401, "token-expired"),
        ("offline", 503, "identity-unavailable"),
    ] {
        for path in ["asks", &one] {
            let refused = plane.refused(Method::GET, token, path, None).await;
            assert_eq!(refused, (status, code.to_owned()), "{token} {path}");
        }
        assert_eq!(plane.says(token, &id, "approve").await, (status, code.to_owned()));
    }
}

#[tokio::test]
async fn whoever_may_not_answer_does_not() {
    let plane = Plane::start().await;
    let (id, waiting) = plane.asked(1, 1).await;
    for (token, status, code) in [
        ("vendor", 403, "own-ask"),
        ("vendor-as-dba", 403, "own-ask"),
        ("robot", 403, "not-human"),
        ("assisted", 403, "not-human"),
        ("stale", 403, "stale-login"),
        ("undated", 403, "stale-login"),
        ("eve", 404, "no-such-ask"),
    ] {
        for verb in ["approve", "deny"] {
            assert_eq!(plane.says(token, &id, verb).await, (status, code.to_owned()), "{token} {verb}");
        }
    }
    let Listed { asks } = plane.good(Method::GET, "eve", "asks", None).await;
    assert!(asks.is_empty());
    assert!(!waiting.is_finished());
}

#[tokio::test]
async fn quorum_of_two_needs_two_humans() {
    let plane = Plane::start().await;
    let (id, waiting) = plane.asked(1, 2).await;
    assert_eq!(plane.yes("dana", &id).await.ask.state, State::Pending);
    assert_eq!(plane.says("dana", &id, "approve").await, (409, "answered-already".into()));
    assert_eq!(plane.says("dana-again", &id, "approve").await, (409, "answered-already".into()));
    assert!(!waiting.is_finished());
    assert_eq!(plane.yes("erin", &id).await.ask.state, State::Approved);
    assert!(matches!(waiting.await.unwrap(), Verdict::Approved(said) if said.len() == 2));
    assert_eq!(plane.says("dana", &id, "deny").await, (409, "ask-over".into()));
}

#[tokio::test]
async fn answers_need_a_reason_and_a_body_of_their_form() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    let path = format!("asks/{id}/approve");
    for (body, status, code) in [
        (json!({ "reason": " " }), 422, "reason-missing"),
        (json!({}), 422, "bad-body"),
        (json!({ "reason": "x", "force": true }), 422, "bad-body"),
        (json!({ "reason": "x".repeat(20_000) }), 413, "bad-body"),
        (json!({ "reason": "x".repeat(3_000) }), 422, "reason-missing"),
    ] {
        assert_eq!(plane.refused(Method::POST, "dana", &path, Some(body)).await, (status, code.into()));
    }
    assert_eq!(
        plane.refused(Method::POST, "dana", "asks/nothing/approve", Some(json!({ "reason": "x" }))).await.0,
        404
    );
    assert_eq!(plane.refused(Method::GET, "dana", "asks?state=odd", None).await, (400, "bad-query".into()));
    assert_eq!(plane.refused(Method::GET, "dana", "elsewhere", None).await, (404, "no-such-route".into()));
}

#[tokio::test]
async fn operators_end_sessions_and_nobody_else() {
    let plane = Plane::start().await;
    let vendor = identity("vendor", "vendor@example.com", &[]);
    let heard = plane.sessions.enter("gate-0000000001", &vendor, None);
    for token in ["dana", "vendor", "eve", "auditor"] {
        let refused = plane.refused(Method::POST, token, "revocations", Some(json!({ "token": "jti-vendor" }))).await;
        assert_eq!(refused, (403, "not-permitted".into()));
    }
    assert_eq!(*heard.borrow(), Ending::NotYet);
    for (body, sessions) in [
        (json!({ "session": "gate-0000000002" }), 0),
        (json!({ "identity": { "issuer": "https://id.example.com", "subject": "vendor" } }), 1),
    ] {
        let ended: Ended = plane.good(Method::POST, "operator", "revocations", Some(body)).await;
        assert_eq!(ended, Ended { sessions });
    }
    assert!(matches!(*heard.borrow(), Ending::Now(_)));
    assert_eq!(plane.refused(Method::POST, "operator", "revocations", Some(json!({ "all": true }))).await.0, 422);
}

#[tokio::test]
async fn asks_of_others_are_read_and_revoked_by_whom_policies_permit_it() {
    let plane = Plane::start().await;
    let (id, waiting) = plane.asked(1, 1).await;
    let Listed { asks } = plane.good(Method::GET, "auditor", "asks", None).await;
    assert_eq!(asks.len(), 1);
    let _: Shown = plane.good(Method::GET, "auditor", &format!("asks/{id}"), None).await;
    // To read is not to answer, nor to revoke.
    assert_eq!(plane.says("auditor", &id, "approve").await, (404, "no-such-ask".into()));
    assert_eq!(plane.says("auditor", &id, "revoke").await, (404, "no-such-ask".into()));
    let reason = Some(json!({ "reason": "an incident" }));
    let _: Shown = plane.good(Method::POST, "operator", &format!("asks/{id}/revoke"), reason).await;
    assert!(matches!(waiting.await.unwrap(), Verdict::Denied(why) if why.contains("an incident")));
}

#[tokio::test]
async fn caller_is_told_who_they_are_and_what_they_may() {
    let plane = Plane::start().await;
    let me: Me = plane.good(Method::GET, "operator", "me", None).await;
    assert_eq!((&*me.subject, &*me.kind), ("olga", "user"));
    assert!(me.may.contains(&"control:sessions:end".to_owned()), "{:?}", me.may);
    let me: Me = plane.good(Method::GET, "vendor", "me", None).await;
    assert!(me.may.is_empty());
}

#[tokio::test]
async fn link_of_a_notice_leads_to_the_page_and_says_nothing_by_itself() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    let page = plane.client.get(format!("http://{}/asks/{id}", plane.address)).send().await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let said = page.text().await.unwrap();
    assert!(said.contains("Portcullis") && !said.contains("DELETE") && !said.contains(&id), "{said}");
}

#[tokio::test]
async fn request_with_two_tokens_is_of_nobody() {
    let plane = Plane::start().await;
    let request = plane.client.get(format!("http://{}/v1/asks", plane.address)).bearer_auth("eve").bearer_auth("dana");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn connection_that_says_nothing_does_not_keep_others_out() {
    let plane = Plane::start().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(tokio::net::TcpStream::connect(plane.address).await.unwrap());
    }
    let Listed { asks } = plane.good(Method::GET, "dana", "asks", None).await;
    assert!(asks.is_empty());
}
