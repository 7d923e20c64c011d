//! Clients that wait: answered, joined, gone, restarted, expired, revoked.

use portcullis_core::approval::Verdict;
use portcullis_core::sessions::Ending;

use crate::stage::{Stage, TTL, human, wait, within};

#[tokio::test]
async fn an_approved_client_goes_on_and_its_record_says_who_and_why() {
    let stage = Stage::new().await;
    let asked = stage.ask("gate-1", "DELETE", 1);
    let notice = asked.notice().clone();
    assert_eq!(notice.url, format!("https://gate.example.com/asks/{}", notice.id));
    let waiting = wait(asked);
    stage.until(&notice.id, "pending").await;
    assert_eq!(stage.answer("approve", &notice.id, "dana").await, "approved");
    let Verdict::Approved(votes) = within(waiting).await.unwrap() else { panic!("it is not approved") };
    assert_eq!((votes[0].by.as_str(), votes[0].reason.as_str()), ("dana@example.com", "ticket 7"));
    assert_eq!(stage.state(&notice.id).await, "used");
    assert_eq!(stage.answer("approve", &notice.id, "dora").await, "already-used");
}

#[tokio::test]
async fn a_denied_client_is_told_why() {
    let stage = Stage::new().await;
    let asked = stage.ask("gate-1", "DELETE", 1);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    stage.answer("deny", &id, "dana").await;
    assert!(matches!(within(waiting).await.unwrap(), Verdict::Denied(vote) if vote.reason == "ticket 7"));
}

#[tokio::test]
async fn clients_that_ask_the_same_join_and_one_of_them_uses_the_approval() {
    let stage = Stage::new().await;
    let (first, second) = (stage.ask("gate-1", "DELETE", 1), stage.ask("gate-2", "DELETE", 1));
    let other = stage.ask("gate-3", "DELETE more", 1);
    let id = first.notice().id.clone();
    assert_eq!(second.notice().id, id);
    assert_ne!(other.notice().id, id);
    let waiting = [wait(first), wait(second)];
    stage.until(&id, "pending").await;
    stage.answer("approve", &id, "dana").await;
    let mut used = 0;
    for one in waiting {
        match within(one).await.unwrap() {
            Verdict::Approved(_) => used += 1,
            Verdict::Used => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(used, 1);
    assert_ne!(stage.ask("gate-1", "DELETE", 1).notice().id, id, "an approval was lent twice");
}

#[tokio::test]
async fn the_last_client_to_go_withdraws() {
    let stage = Stage::new().await;
    let (first, second) = (stage.ask("gate-1", "DELETE", 1), stage.ask("gate-2", "DELETE", 1));
    let id = first.notice().id.clone();
    let waiting = wait(second);
    stage.until(&id, "pending").await;
    drop(first);
    let marker = stage.ask("gate-3", "marker", 1);
    let after = marker.notice().id.clone();
    stage.until(&after, "pending").await;
    assert_eq!(stage.state(&id).await, "pending");
    waiting.abort();
    stage.until(&id, "withdrawn").await;
    assert_eq!(stage.answer("approve", &id, "dana").await, "withdrawn");
    assert_ne!(stage.ask("gate-4", "DELETE", 1).notice().id, id);
}

#[tokio::test]
async fn an_ask_survives_a_restart_is_joined_and_its_approval_is_used_once() {
    let mut stage = Stage::new().await;
    let asked = stage.ask("gate-1", "DELETE", 2);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    assert_eq!(stage.answer("approve", &id, "dana").await, "pending");
    // The process ends: its sessions with it, and nobody has withdrawn anything.
    stage.sessions.stop();
    waiting.abort();
    stage.restart().await;
    assert_eq!(stage.state(&id).await, "pending");
    let again = stage.ask("gate-9", "DELETE", 2);
    assert_eq!(again.notice().id, id);
    assert_eq!(stage.answer("approve", &id, "dana-again").await, "answered-already");
    assert_eq!(stage.answer("approve", &id, "dora").await, "approved");
    assert!(matches!(within(wait(again)).await.unwrap(), Verdict::Approved(votes) if votes.len() == 2));
    assert_eq!(stage.state(&id).await, "used");
    stage.restart().await;
    assert_eq!(stage.answer("approve", &id, "dora").await, "already-used");
}

#[tokio::test]
async fn a_grant_waits_for_a_client_that_was_gone_and_ends_in_time() {
    let mut stage = Stage::new().await;
    for (statement, late) in [("DELETE 1", false), ("DELETE 2", true)] {
        let asked = stage.ask("gate-1", statement, 1);
        let id = asked.notice().id.clone();
        let waiting = wait(asked);
        stage.until(&id, "pending").await;
        stage.sessions.stop();
        waiting.abort();
        stage.restart().await;
        assert_eq!(stage.answer("approve", &id, "dana").await, "approved");
        stage.restart().await;
        if late {
            stage.pass(TTL);
            stage.until(&id, "expired").await;
        }
        let again = stage.ask("gate-2", statement, 1);
        assert_eq!(again.notice().id == id, !late, "{statement}");
        if !late {
            assert!(matches!(within(wait(again)).await.unwrap(), Verdict::Approved(_)));
        }
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ends_the_wait() {
    let stage = Stage::new().await;
    let asked = stage.ask("gate-1", "DELETE", 1);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    stage.pass(TTL);
    assert_eq!(within(waiting).await.unwrap(), Verdict::Expired);
    stage.until(&id, "expired").await;
}

#[tokio::test]
async fn a_revoked_ask_ends_the_wait_and_a_revoked_session_is_told() {
    let stage = Stage::new().await;
    let asked = stage.ask("gate-1", "DELETE", 1);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    let grant = format!(r#"{{"grant":"{id}","reason":"mistake"}}"#);
    assert_eq!(stage.call("POST", "/v1/revocations", "sam", &grant).await.0, 403);
    assert_eq!(stage.call("POST", "/v1/revocations", "dana", &grant).await.0, 200);
    assert_eq!(within(waiting).await.unwrap(), Verdict::Revoked);

    let vera = human("vera", "vera@example.com", &[]);
    for what in [
        r#"{"session":"gate-1","reason":"left open"}"#,
        r#"{"token":"jti-vera","reason":"leaked"}"#,
        r#"{"identity":{"issuer":"https://id.example.com","subject":"vera"},"reason":"taken over"}"#,
    ] {
        let ending = stage.sessions.enter("gate-1", &vera, None);
        assert_eq!(stage.call("POST", "/v1/revocations", "dana", what).await.0, 403);
        let (status, said) = stage.call("POST", "/v1/revocations", "sam", what).await;
        assert_eq!((status, &said["sessions_ended"]), (200, &1.into()), "{said}");
        assert!(matches!(*ending.borrow(), Ending::Now(_)));
    }
}

#[tokio::test]
async fn a_revoked_identity_loses_its_asks() {
    let stage = Stage::new().await;
    let asked = stage.ask("gate-1", "DELETE", 1);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    let what = r#"{"identity":{"issuer":"https://id.example.com","subject":"vera"},"reason":"taken over"}"#;
    assert_eq!(stage.call("POST", "/v1/revocations", "sam", what).await.0, 200);
    assert_eq!(within(waiting).await.unwrap(), Verdict::Revoked);
}

#[tokio::test]
async fn a_store_that_fails_refuses() {
    let stage = Stage::new().await;
    let path = stage.database();
    let asked = stage.ask("gate-1", "DELETE", 1);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    let store = portcullis_control::store::Sqlite::open(&path).await.unwrap();
    store.break_for_good().await;
    assert!(matches!(within(wait(stage.ask("gate-2", "other", 1))).await.unwrap(), Verdict::Lost(_)));
    assert_eq!(stage.answer("approve", &id, "dana").await, "store-unavailable");
    waiting.abort();
}
