//! Policies, targets and health in the API, over ports that answer as a gate would.

use std::collections::BTreeMap;

use portcullis_control::api::{GateHealth, ReplayResult, TargetList, Validation};
use portcullis_control::policies::{
    Asked, Bundle, Changed, Deciding, Explained, Policies, PolicyFile, Problem, Replay, Replayed, ShownPolicy, Tried,
};
use portcullis_control::vitals::{Part, PartState, ShownTarget, TargetHealth, Vitals};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Plane;
use crate::archive::{closed, opened, operation};

/// Policies under which nothing is dropped; a file whose text is `bad` is none.
pub(crate) struct NoDrops;

impl Policies for NoDrops {
    fn bundle(&self) -> Bundle {
        let policy = ShownPolicy {
            id: "no-drops".into(),
            file: "a.cedar".into(),
            line: 1,
            effect: "forbid".into(),
            annotations: BTreeMap::new(),
            text: "forbid …".into(),
        };
        Bundle { revision: "1".into(), loaded_at: "now".into(), files: vec![], policies: vec![policy] }
    }

    fn try_out(&self, files: Vec<PolicyFile>) -> Result<Box<dyn Tried>, Vec<Problem>> {
        let bad = |file: &PolicyFile| Problem {
            file: file.name.clone(),
            line: Some(3),
            column: Some(1),
            message: "it is bad".into(),
        };
        let problems: Vec<_> = files.iter().filter(|file| file.text == "bad").map(bad).collect();
        if problems.is_empty() { Ok(Box::new(Self)) } else { Err(problems) }
    }

    fn explain(&self, asked: Asked) -> Result<Explained, String> {
        if asked.action == "sql:drop" {
            let deciding = Deciding {
                id: "no-drops".into(),
                file: "a.cedar".into(),
                line: 1,
                effect: "forbid".into(),
                reason: "tables stay".into(),
            };
            let (decision, reason) = ("deny".into(), "tables stay".into());
            return Ok(Explained { decision, policies: vec![deciding], reason, ask: None });
        }
        Err(format!("there is no action `{}`", asked.action))
    }
}

impl Tried for NoDrops {
    fn replay(&self) -> Box<dyn Replay + '_> {
        Box::new(Dropping(BTreeMap::new()))
    }
}

struct Dropping(BTreeMap<u64, String>);

impl Replay for Dropping {
    fn take(&mut self, session: &str, at: u64, json: &str) -> Replayed {
        let event: Value = serde_json::from_str(json).unwrap();
        if let Some(operation) = event.get("operation") {
            let statement = operation["statement"].as_str().unwrap().to_owned();
            self.0.insert(operation["op"].as_u64().unwrap(), statement);
        }
        let Some(decision) = event.get("decision") else { return Replayed::Nothing };
        let (op, was) = (decision["op"].as_u64().unwrap(), decision["decision"].as_str().unwrap().to_owned());
        let statement = self.0.remove(&op).unwrap();
        let now = if statement.starts_with("DROP") { "deny" } else { "allow" };
        if now == was {
            return Replayed::Same;
        }
        let (now, at) = (now.to_owned(), at.to_string());
        let changed =
            Changed { session: session.into(), op, at, statement, was, now, policies: vec![], reason: String::new() };
        Replayed::Changed(Box::new(changed))
    }
}

/// One target that is well, and one that is not.
pub(crate) struct TwoTargets;

impl Vitals for TwoTargets {
    fn targets(&self) -> Vec<ShownTarget> {
        let target = |name: &str, state: &str, detail: &str| ShownTarget {
            name: name.into(),
            protocol: "postgres".into(),
            listen: "127.0.0.1:5432".into(),
            address: "db.internal:5432".into(),
            labels: BTreeMap::from([("env".into(), "prod".into())]),
            health: TargetHealth { state: state.into(), checked_at: None, detail: detail.into() },
            live_sessions: 0,
        };
        vec![target("shop", "up", ""), target("billing", "down", "connection refused")]
    }

    fn parts(&self) -> Vec<Part> {
        vec![Part { name: "recorder".into(), state: PartState::Ok, detail: String::new() }]
    }

    fn uptime(&self) -> u64 {
        7
    }
}

/// A question that is understood.
pub(crate) fn question() -> Value {
    let identity = json!({ "issuer": "i", "subject": "s", "groups": [], "email": null, "kind": "user" });
    json!({ "identity": identity, "target": "shop", "action": "sql:drop", "resource": ["shop", "public", "orders"] })
}

#[tokio::test]
async fn policies_are_read_checked_and_explained() {
    let plane = Plane::start().await;
    let bundle: Bundle = plane.good(Method::GET, "operator", "policies", None).await;
    assert_eq!(bundle.policies[0].id, "no-drops");
    let files = |text: &str| Some(json!({ "files": [{ "name": "b.cedar", "text": text }] }));
    let good: Validation = plane.good(Method::POST, "operator", "policies/validate", files("good")).await;
    assert!(good.ok && good.problems.is_empty());
    let bad: Validation = plane.good(Method::POST, "operator", "policies/validate", files("bad")).await;
    assert_eq!((bad.ok, bad.problems[0].line), (false, Some(3)));
    let explained: Explained = plane.good(Method::POST, "operator", "policies/explain", Some(question())).await;
    assert_eq!((explained.decision.as_str(), explained.policies[0].id.as_str()), ("deny", "no-drops"));
    let mut unknown = question();
    unknown["action"] = json!("sql:fly");
    let refused = plane.refused(Method::POST, "operator", "policies/explain", Some(unknown)).await;
    assert_eq!(refused, (422, "bad-question".into()));
    let replayed = plane.refused(Method::POST, "operator", "policies/replay", files("bad")).await;
    assert_eq!(replayed, (422, "bad-policies".into()));
}

#[tokio::test]
async fn recorded_operations_are_decided_anew_by_whom_may_read_them() {
    let plane = Plane::start().await;
    plane.archive.session(1, "eve", "shop", &[("SELECT 1", "allow"), ("DROP TABLE a", "allow")]);
    plane.archive.session(2, "eve", "billing", &[("DROP TABLE b", "deny"), ("SELECT 2", "deny")]);
    plane.indexed(2).await;
    let body = |target: Value| Some(json!({ "files": [], "from": null, "to": null, "target": target }));
    let all: ReplayResult = plane.good(Method::POST, "operator", "policies/replay", body(Value::Null)).await;
    assert_eq!((all.sessions, all.operations, all.truncated), (2, 4, false));
    let changed: Vec<_> = all.changed.iter().map(|one| (one.statement.as_str(), one.now.as_str())).collect();
    assert_eq!(changed, [("SELECT 2", "allow"), ("DROP TABLE a", "deny")]);
    let shop: ReplayResult = plane.good(Method::POST, "operator", "policies/replay", body(json!("shop"))).await;
    assert_eq!((shop.sessions, shop.changed.len()), (1, 1));
    let audit = plane.recorder.of("operation");
    assert_eq!(audit[0]["kind"], "control:policies:try");
}

#[tokio::test]
async fn replay_ends_when_it_has_found_enough() {
    let plane = Plane::start().await;
    plane.archive.write(1, [opened(1, "eve", "shop")]);
    for op in 1..=1_100 {
        plane.archive.write(1, operation(op, "DROP TABLE a", "allow"));
    }
    plane.archive.write(1, [closed(1_100)]);
    plane.indexed(1).await;
    let found: ReplayResult =
        plane.good(Method::POST, "operator", "policies/replay", Some(json!({ "files": [] }))).await;
    assert_eq!((found.changed.len(), found.truncated), (1_000, true));
}

#[tokio::test]
async fn targets_are_listed_for_whom_may_see_them() {
    let plane = Plane::start().await;
    plane.archive.write(1, [opened(1, "eve", "shop")]);
    plane.indexed(1).await;
    let all: TargetList = plane.good(Method::GET, "operator", "targets", None).await;
    let shown: Vec<_> =
        all.targets.iter().map(|one| (one.name.as_str(), one.health.state.as_str(), one.live_sessions)).collect();
    assert_eq!(shown, [("shop", "up", 1), ("billing", "down", 0)]);
    let some: TargetList = plane.good(Method::GET, "auditor", "targets", None).await;
    assert_eq!(some.targets.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["shop"]);
    let health: GateHealth = plane.good(Method::GET, "operator", "health", None).await;
    assert_eq!((health.uptime_s, health.parts.len(), health.parts[1].name.as_str()), (7, 2, "index"));
}
