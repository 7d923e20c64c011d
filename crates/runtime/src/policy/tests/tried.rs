//! Bundles that are shown and tried, and recorded operations that are decided anew.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::fixture::policy;
use crate::policy::{Asked, PolicyFile, Replay, Replayed};

const READS: &str = "// who reads\n@id(\"reads\") @reason(\"they look\")\npermit (principal, action == Action::\"t:read\", resource);\n";

fn file(text: &str) -> PolicyFile {
    PolicyFile { name: "all.cedar".into(), text: text.into() }
}

#[test]
fn bundle_is_shown_as_it_is_written() {
    let policies = policy(READS);
    let shown = policies.shown();
    assert_eq!(shown.revision, policies.revision());
    assert_eq!(shown.files, [file(READS)]);
    let one = &shown.policies[0];
    assert_eq!((one.id.as_str(), one.effect, one.file.as_str(), one.line), ("reads", "permit", "all.cedar", 2));
    assert_eq!(one.annotations["reason"], "they look");
    assert!(one.text.contains("Action::\"t:read\""), "{}", one.text);
    // What is shown can be tried, and is the same.
    assert_eq!(policies.tried(&shown.files).unwrap().shown().policies, shown.policies);
}

#[test]
fn what_is_wrong_with_a_bundle_is_told_with_its_place() {
    let policies = policy(READS);
    let errors = policies.tried(&[file("\npermit (principal, action == Action::\"t:fly\", resource);")]).err().unwrap();
    assert_eq!((errors.0[0].file.as_str(), errors.0[0].place.map(|place| place.0)), ("all.cedar", Some(2)), "{errors}");
    assert!(policies.tried(&[file(READS), file(READS)]).is_err());
    assert!(policies.tried(&[file(&" ".repeat((1 << 20) + 1))]).is_err());
    assert!(policies.tried(&vec![file(READS); 1_001]).is_err());
}

fn opened() -> Value {
    let identity = json!({
        "issuer": "https://id.example.com", "subject": "dana", "kind": "user", "groups": ["okta:vendors"], "email": null,
        "actors": [], "token": null, "expires": 1_900_000_000,
    });
    json!({ "opened": {
        "session": "gate-1", "protocol": "p", "target": "shop", "client": "10.0.0.1", "application": "x", "identity": identity,
    } })
}

fn operation(op: u64, action: &str, path: &[&str]) -> Value {
    let kind = ["Target", "Database", "Table", "", ""][path.len()];
    let effects = json!([{ "action": action, "resource": { "kind": kind, "path": path }, "facts": { "rows": 3 } }]);
    json!({ "operation": { "op": op, "kind": "Q", "statement": format!("statement {op}"), "parameters": 0, "effects": effects } })
}

fn decision(op: u64, decision: &str) -> Value {
    json!({ "decision": { "op": op, "decision": decision, "policies": [], "reason": "", "revision": "r" } })
}

#[test]
fn recorded_operations_are_decided_by_their_effects_and_facts() {
    let policies = policy(
        "@id(\"few\")\npermit (principal in Group::\"okta:vendors\", action, resource in Database::\"shop/one\") when { context.rows < 5 };",
    );
    let labels = HashMap::new();
    let mut replay = Replay::new(&policies, &labels);
    let mut take = |at, event: Value| replay.take(at, &event.to_string());
    assert_eq!(take(1, opened()), Replayed::Nothing);
    assert_eq!(take(2, operation(1, "t:read", &["one", "a"])), Replayed::Nothing);
    assert_eq!(take(3, decision(1, "allow")), Replayed::Same);
    take(4, operation(2, "t:read", &["two", "a"]));
    let Replayed::Changed(changed) = take(5, decision(2, "allow")) else { panic!("it is denied now") };
    assert_eq!((changed.op, changed.at, changed.was.as_str(), changed.now), (2, 5, "allow", "deny"));
    assert_eq!(changed.statement, "statement 2");
    take(6, operation(3, "t:read", &["one", "a"]));
    let Replayed::Changed(changed) = take(7, decision(3, "deny")) else { panic!("it is allowed now") };
    assert_eq!(changed.policies, ["few"]);
    // What this gate has no words for is denied, as it would be.
    take(8, operation(4, "t:fly", &["one", "a"]));
    assert_eq!(take(9, decision(4, "deny")), Replayed::Same);
    take(10, operation(5, "t:read", &["one", "a", "b"]));
    assert_eq!(take(11, decision(5, "deny")), Replayed::Same);
    assert_eq!(replay.take(12, "{"), Replayed::Nothing);
    assert_eq!(replay.take(13, &decision(6, "deny").to_string()), Replayed::Nothing);
}

#[test]
fn question_may_name_a_resource_by_its_path_alone() {
    let policies = policy("@id(\"one\")\npermit (principal, action, resource in Database::\"shop/one\");");
    let asked = |path: &[&str]| -> Result<&'static str, String> {
        let recorded = json!([{ "action": "t:read", "resource": { "kind": "", "path": path } }]);
        let asked: Asked = serde_json::from_value(json!({ "target": "shop", "recorded": recorded })).unwrap();
        Ok(policies.explain_asked(&asked)?.decision)
    };
    assert_eq!(asked(&["one"]), Ok("allow"));
    assert_eq!(asked(&["one", "a"]), Ok("allow"));
    assert_eq!(asked(&[]), Ok("deny"));
    assert!(asked(&["one", "a", "b"]).unwrap_err().contains("`t:read` is not done to `one/a/b`"));
}
