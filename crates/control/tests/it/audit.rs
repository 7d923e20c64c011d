//! What people do is written down before it is done, with what came of it.

use portcullis_control::api::{AuditList, Ended};
use portcullis_control::ask::State;
use portcullis_testkit::fakes::Failing;
use reqwest::Method;
use serde_json::{Value, json};

use crate::Plane;

async fn listed(plane: &Plane, query: &str) -> AuditList {
    plane.good(Method::GET, "operator", &format!("audit{query}"), None).await
}

#[tokio::test]
async fn answer_is_in_the_sealed_record_and_in_its_index() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    plane.yes("dana", &id).await;
    let operation = plane.recorder.of("operation").remove(0);
    let said: Value = serde_json::from_str(operation["statement"].as_str().unwrap()).unwrap();
    assert_eq!(said["who"]["subject"], "dana");
    assert_eq!((said["action"].as_str(), said["target"].as_str()), (Some("control:asks:answer"), Some("shop")));
    assert_eq!(said["what"], format!("ask {id}"));
    assert_eq!(plane.recorder.of("outcome")[0]["status"], "completed");
    let entry = listed(&plane, "").await.entries.remove(0);
    assert_eq!((entry.who.as_str(), entry.subject.as_str()), ("dana@example.com", "dana"));
    assert_eq!(entry.detail, "approve: looked at it");
    assert_eq!((entry.outcome.as_deref(), entry.op), (Some("done"), 1));
}

#[tokio::test]
async fn answer_that_does_not_count_is_recorded_as_refused() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    plane.yes("dana", &id).await;
    let (status, code) = plane.says("erin", &id, "deny").await;
    assert_eq!(status, 409);
    let outcomes = plane.recorder.of("outcome");
    assert_eq!((&outcomes[1]["status"], &outcomes[1]["code"]), (&json!("refused"), &json!(code)));
    assert_eq!(listed(&plane, "").await.entries[0].outcome, Some(code));
}

#[tokio::test]
async fn nothing_is_done_that_cannot_be_recorded() {
    for failing in [Failing::Open, Failing::Append, Failing::Commit] {
        let plane = Plane::start().await;
        let (id, _waiting) = plane.asked(1, 1).await;
        plane.recorder.fail(failing);
        for verb in ["approve", "deny", "revoke"] {
            assert_eq!(plane.says("dana", &id, verb).await, (503, "audit-failed".into()), "{verb}, {failing:?}");
        }
        let ended = plane.refused(Method::POST, "operator", "revocations", Some(json!({ "session": "s" }))).await;
        assert_eq!(ended, (503, "audit-failed".into()), "{failing:?}");
        plane.recorder.fail(Failing::Nothing);
        assert!(listed(&plane, "").await.entries.is_empty());
        assert_eq!(plane.yes("dana", &id).await.ask.state, State::Approved, "after {failing:?}");
    }
}

#[tokio::test]
async fn two_approvers_at_the_same_instant_are_both_recorded_and_one_counts() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    let path = format!("asks/{id}/approve");
    let yes = || Some(json!({ "reason": "looked at it" }));
    let (one, other) = tokio::join!(
        plane.status(Method::POST, "dana", &path, yes()),
        plane.status(Method::POST, "erin", &path, yes())
    );
    let mut statuses = [one.0.as_u16(), other.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(plane.recorder.of("operation").len(), 2);
    assert_eq!(plane.recorder.of("outcome").len(), 2);
}

#[tokio::test]
async fn stranger_to_an_ask_leaves_nothing_in_the_record() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    for verb in ["approve", "deny", "revoke"] {
        assert_eq!(plane.says("eve", &id, verb).await.0, 404, "{verb}");
    }
    assert!(plane.recorder.events().is_empty());
}

#[tokio::test]
async fn audit_is_read_a_page_at_a_time() {
    let plane = Plane::start().await;
    for number in 0..3 {
        let ends = Some(json!({ "session": format!("s{number}") }));
        let _: Ended = plane.good(Method::POST, "operator", "revocations", ends).await;
    }
    let page = listed(&plane, "?limit=2").await;
    let whats: Vec<_> = page.entries.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(whats, ["session s2", "session s1"]);
    let next = page.next.unwrap();
    let last = listed(&plane, &format!("?limit=2&before={next}")).await;
    assert_eq!((last.entries[0].what.as_str(), last.entries.len(), last.next), ("session s0", 1, None));
    let wrong = plane.refused(Method::GET, "operator", "audit?before=x", None).await;
    assert_eq!(wrong, (400, "bad-query".into()));
}
