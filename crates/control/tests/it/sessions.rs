//! Sessions in the API: listed, searched, read, followed and ended, by whom policies permit it.

use std::time::Duration;

use futures::StreamExt;
use portcullis_control::api::{EventList, OperationList, SessionList};
use portcullis_control::index::Session;
use portcullis_core::sessions::Ending;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::archive::{closed, opened, operation};
use crate::{Plane, identity};

impl Plane {
    /// Waits until so many sessions are listed.
    pub(crate) async fn indexed(&self, count: usize) {
        for _ in 0..500 {
            if self.list("operator", "limit=200").await.sessions.len() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} sessions are not indexed in time");
    }

    async fn list(&self, token: &str, query: &str) -> SessionList {
        self.good(Method::GET, token, &format!("sessions?{query}"), None).await
    }

    async fn ids(&self, query: &str) -> Vec<u64> {
        let listed = self.list("operator", query).await;
        listed.sessions.iter().map(|session| number(&session.id)).collect()
    }
}

fn number(id: &str) -> u64 {
    id.trim_start_matches("gate-").parse().unwrap()
}

async fn plane() -> Plane {
    let plane = Plane::start().await;
    plane.archive.session(1, "ada", "shop", &[("SELECT name FROM orders_2024", "allow")]);
    plane.archive.session(2, "bob", "shop", &[("SELECT 1", "allow"), ("DROP TABLE orders_2024", "deny")]);
    plane.archive.session(3, "ada", "books", &[("UPDATE t SET a = 'ada@example.com'", "ask-first")]);
    plane.archive.write(4, [opened(4, "eve", "shop")]);
    plane.archive.write(4, operation(1, "SELECT pg_sleep(60)", "allow"));
    plane.indexed(4).await;
    plane
}

#[tokio::test]
async fn sessions_are_listed_and_filtered() {
    let plane = plane().await;
    for (query, ids) in [
        ("", &[4, 3, 2, 1][..]),
        ("target=shop", &[4, 2, 1]),
        ("identity=ada", &[3, 1]),
        ("identity=ada@example.com", &[3, 1]),
        ("protocol=ssh", &[]),
        ("decision=deny", &[2]),
        ("decision=ask-first", &[3]),
        ("decision=allow", &[4, 2, 1]),
        ("state=live", &[4]),
        ("state=ended&target=shop", &[2, 1]),
        ("from=1970-01-01T00:00:02Z&to=1970-01-01T00:00:04Z", &[3, 2]),
        ("q=orders_2024", &[2, 1]),
        ("q=orders", &[2, 1]),
        ("q=2024", &[]),
        ("q=drop%20orders_2024", &[2]),
        ("q=ada@example.com", &[3]),
        ("q=%22)%20*", &[]),
        // What looks like the index's own syntax is words, and `or` is how `orders_2024` begins.
        ("q=%22)%20OR%20*", &[2, 1]),
        ("q=orders_2024&decision=deny", &[2]),
    ] {
        assert_eq!(plane.ids(query).await, ids, "{query}");
    }
    let one: Session = plane.good(Method::GET, "operator", "sessions/gate-0000000002", None).await;
    assert_eq!((one.operations, one.denied, one.masked, one.live), (2, 1, 4, false));
    assert_eq!((&*one.identity.name, one.reason.as_deref()), ("bob@example.com", Some("the client said goodbye")));
    for query in ["state=odd", "since=1", "limit=x", "from=yesterday"] {
        assert_eq!(plane.refused(Method::GET, "operator", &format!("sessions?{query}"), None).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn pages_neither_repeat_nor_miss_while_sessions_come() {
    let plane = Plane::start().await;
    for number in 1..=25 {
        plane.archive.session(number, "ada", "shop", &[("SELECT word", "allow")]);
    }
    plane.indexed(25).await;
    for (q, after) in [("", 100), ("&q=word", 200)] {
        let (mut seen, mut before, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = plane.list("operator", &format!("limit=10{q}{before}")).await;
            seen.extend(page.sessions.iter().map(|session| number(&session.id)));
            pages += 1;
            plane.archive.session(after + pages, "ada", "shop", &[("SELECT word", "allow")]);
            plane.indexed(25 + usize::try_from(pages + if after > 100 { 3 } else { 0 }).unwrap()).await;
            let Some(next) = page.next else { break };
            before = format!("&before={next}");
        }
        let old: Vec<u64> = seen.iter().copied().filter(|number| *number <= 25).collect();
        assert_eq!(old, (1..=25).rev().collect::<Vec<_>>(), "{q}: {seen:?}");
    }
}

#[tokio::test]
async fn operations_are_searched() {
    let plane = plane().await;
    for (query, found) in [
        ("", &[(4, 1), (3, 1), (2, 2), (2, 1), (1, 1)][..]),
        ("target=books", &[(3, 1)]),
        ("decision=deny", &[(2, 2)]),
        ("session=gate-0000000002", &[(2, 2), (2, 1)]),
        ("q=select", &[(4, 1), (2, 1), (1, 1)]),
        ("q=select&identity=ada", &[(1, 1)]),
    ] {
        let listed: OperationList = plane.good(Method::GET, "operator", &format!("operations?{query}"), None).await;
        let ids: Vec<(u64, u64)> = listed.operations.iter().map(|row| (number(&row.session), row.op)).collect();
        assert_eq!(ids, found, "{query}");
    }
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let path = format!("operations?limit=2{before}");
        let page: OperationList = plane.good(Method::GET, "operator", &path, None).await;
        seen.extend(page.operations);
        let Some(next) = page.next else { break };
        before = format!("&before={next}");
    }
    assert_eq!(seen.len(), 5);
    let denied = seen.iter().find(|row| row.decision == "deny").unwrap();
    assert_eq!((&*denied.statement, denied.status.as_deref()), ("DROP TABLE orders_2024", Some("refused")));
}

#[tokio::test]
async fn who_may_look_at_one_target_sees_its_sessions_alone() {
    let plane = plane().await;
    let listed = plane.list("auditor", "").await;
    assert!(listed.sessions.len() == 3 && listed.sessions.iter().all(|session| session.target == "shop"));
    let _: Session = plane.good(Method::GET, "auditor", "sessions/gate-0000000001", None).await;
    for path in ["sessions/gate-0000000003", "sessions/gate-0000000003/events", "sessions/none", "sessions/..%2f1"] {
        assert_eq!(plane.refused(Method::GET, "auditor", path, None).await, (404, "no-such-session".into()), "{path}");
    }
    assert_eq!(plane.refused(Method::GET, "auditor", "sessions?target=books", None).await.0, 403);
    assert_eq!(plane.refused(Method::GET, "eve", "sessions", None).await, (403, "not-permitted".into()));
    let listed: OperationList = plane.good(Method::GET, "auditor", "operations?q=ada", None).await;
    assert!(listed.operations.is_empty());
}

#[tokio::test]
async fn events_are_read_in_pages() {
    let plane = plane().await;
    let (mut after, mut kinds) = (0, Vec::new());
    loop {
        let path = format!("sessions/gate-0000000002/events?limit=3&after={after}");
        let page: EventList = plane.good(Method::GET, "operator", &path, None).await;
        let name = |event: &Value| event.as_object().unwrap().keys().next().unwrap().clone();
        kinds.extend(page.events.iter().map(|shown| name(&serde_json::from_str(shown.event.get()).unwrap())));
        let Some(next) = page.next else {
            assert!(page.ended);
            break;
        };
        after = next;
    }
    let wanted = ["opened", "operation", "decision", "outcome", "operation", "decision", "outcome", "closed"];
    assert_eq!(kinds, wanted);
}

#[tokio::test]
async fn damaged_recording_is_listed_with_its_problem() {
    let plane = Plane::start().await;
    plane.archive.write(1, [opened(1, "ada", "shop"), json!({ "damaged": {} })]);
    plane.indexed(1).await;
    let listed = plane.list("operator", "").await;
    assert_eq!(listed.sessions[0].problem.as_deref(), Some("segment 3 is damaged"));
    let refused = plane.refused(Method::GET, "operator", "sessions/gate-0000000001/events", None).await;
    assert_eq!(refused, (500, "unreadable".into()));
}

/// What a stream of server-sent events has said until `until` is in it.
async fn heard(response: reqwest::Response, until: &str) -> String {
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.bytes_stream();
    let mut said = String::new();
    let hearing = async {
        while !said.contains(until) {
            let piece = stream.next().await.unwrap().unwrap();
            said.push_str(std::str::from_utf8(&piece).unwrap());
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), hearing).await.is_ok();
    assert!(in_time, "`{until}` is not said: {said}");
    said
}

#[tokio::test]
async fn running_session_is_followed_to_its_end_and_resumed() {
    let plane = plane().await;
    let at = format!("http://{}/v1/sessions/gate-0000000004/events/live", plane.address);
    let get = |after: &str| plane.client.get(&at).bearer_auth("operator").header("last-event-id", after).send();
    let first = get("0").await.unwrap();
    let following = tokio::spawn(async { heard(first, "event: ended").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    plane.archive.write(4, operation(2, "SELECT 2", "allow"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    plane.archive.write(4, [closed(2)]);
    let said = following.await.unwrap();
    let ids: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7", "8"], "{said}");
    let said = heard(get("6").await.unwrap(), "event: ended").await;
    assert_eq!(said.matches("id: ").count(), 2, "{said}");
}

#[tokio::test]
async fn changes_of_sessions_are_told_to_whom_may_see_them() {
    let plane = plane().await;
    let at = format!("http://{}/v1/sessions/live", plane.address);
    let auditor = plane.client.get(&at).bearer_auth("auditor").send().await.unwrap();
    plane.archive.session(5, "bob", "books", &[]);
    plane.archive.session(6, "bob", "shop", &[]);
    let said = heard(auditor, "gate-0000000006").await;
    assert!(!said.contains("gate-0000000005"), "{said}");
}

#[tokio::test]
async fn session_is_ended_with_a_reason_by_whom_may() {
    let plane = plane().await;
    let live = plane.sessions.enter("gate-0000000004", &identity("eve", "eve@example.com", &[]), None);
    let path = "sessions/gate-0000000004/terminate";
    let body = |reason: &str| Some(json!({ "reason": reason }));
    assert_eq!(plane.refused(Method::POST, "auditor", path, body("x")).await.0, 404);
    assert_eq!(plane.refused(Method::POST, "operator", path, body(" ")).await, (422, "reason-missing".into()));
    assert_eq!(*live.borrow(), Ending::NotYet);
    let _: Session = plane.good(Method::POST, "operator", path, body("an incident")).await;
    assert!(matches!(*live.borrow(), Ending::Now(_)));
    let over = "sessions/gate-0000000001/terminate";
    assert_eq!(plane.refused(Method::POST, "operator", over, body("x")).await, (409, "session-over".into()));
}

#[tokio::test]
async fn record_of_the_control_plane_is_no_session_among_others() {
    let plane = Plane::start().await;
    let mut own = opened(1, "control", "portcullis");
    own["opened"]["protocol"] = json!("control");
    plane.archive.write(1, [own]);
    plane.archive.session(2, "eve", "shop", &[("SELECT 1", "allow")]);
    plane.indexed(1).await;
    let targets = async |query: &str| -> Vec<String> {
        let list: SessionList = plane.good(Method::GET, "operator", &format!("sessions{query}"), None).await;
        list.sessions.into_iter().map(|session| session.target).collect()
    };
    assert_eq!(targets("").await, ["shop"]);
    assert_eq!(targets("?protocol=control").await, ["portcullis"]);
}
