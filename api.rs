//! The API over real sockets: who is let in, who may read, what cannot be sent.

use serde_json::json;

use crate::stage::{Stage, wait};

async fn pending(stage: &Stage, quorum: u32) -> (String, tokio::task::JoinHandle<portcullis_core::approval::Verdict>) {
    let asked = stage.ask("gate-1", "DELETE FROM orders -- \u{202e}\0", quorum);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    (id, waiting)
}

#[tokio::test]
async fn answers_that_do_not_count_are_told_why() {
    let stage = Stage::new().await;
    let (id, _waiting) = pending(&stage, 2).await;
    for (token, code) in [
        ("nobody", "unidentified"),
        ("old", "token-expired"),
        ("unsure", "identity-unavailable"),
        ("vera", "own-ask"),
        ("vera-admin", "own-ask"),
        ("sam", "not-an-approver"),
        ("robot", "not-a-human"),
        ("lena", "login-too-old"),
        ("dana", "pending"),
        ("dana", "answered-already"),
        ("dana-again", "answered-already"),
    ] {
        assert_eq!(stage.answer("approve", &id, token).await, code, "{token}");
    }
    assert_eq!(stage.answer("approve", "0000", "dana").await, "no-such-ask");
    assert_eq!(stage.state(&id).await, "pending");
    assert_eq!(stage.answer("approve", &id, "dora").await, "approved");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_refused() {
    let stage = Stage::new().await;
    let (id, _waiting) = pending(&stage, 1).await;
    // Within the age of a login, and past the end of the ask.
    stage.pass(crate::stage::TTL - std::time::Duration::from_millis(1));
    stage.pass(std::time::Duration::from_millis(1));
    let code = stage.answer("approve", &id, "dana").await;
    assert!(code == "expired" || code == "login-too-old", "{code}");
    stage.until(&id, "expired").await;
}

#[tokio::test]
async fn asks_are_read_by_approvers_and_the_asker_alone() {
    let stage = Stage::new().await;
    let (id, _waiting) = pending(&stage, 1).await;
    for (token, status, listed) in [("dana", 200, 1), ("vera", 200, 1), ("robot", 200, 1), ("sam", 403, 0)] {
        assert_eq!(stage.call("GET", &format!("/v1/asks/{id}"), token, "").await.0, status, "{token}");
        let (_, found) = stage.call("GET", "/v1/asks?state=pending", token, "").await;
        assert_eq!(found["asks"].as_array().unwrap().len(), listed, "{token}");
    }
    assert_eq!(stage.call("GET", "/v1/asks?state=used", "dana", "").await.1, json!({ "asks": [] }));
    assert_eq!(stage.call("GET", "/v1/asks?state=odd", "dana", "").await.1["error"]["code"], "unreadable");
}

#[tokio::test]
async fn hidden_characters_are_shown_and_the_exact_bytes_kept() {
    let stage = Stage::new().await;
    let (id, _waiting) = pending(&stage, 1).await;
    let (_, ask) = stage.call("GET", &format!("/v1/asks/{id}"), "dana", "").await;
    assert_eq!(ask["statement"], "DELETE FROM orders -- \\u{202e}\\u{0}");
    assert_eq!(ask["statement_base64"], "REVMRVRFIEZST00gb3JkZXJzIC0tIOKArgA=");
    assert_eq!((&ask["application"], &ask["values"]), (&json!("psql\\u{202e}"), &json!("$1 = '7'\n")));
    assert_eq!(ask["effects"][0]["action"], "sql:delete");
    assert_eq!(ask["asker"]["subject"], "vera");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let stage = Stage::new().await;
    let (id, _waiting) = pending(&stage, 1).await;
    let approve = format!("/v1/asks/{id}/approve");
    let large = json!({ "reason": "x".repeat(20_000) }).to_string();
    let long = json!({ "reason": "x".repeat(3_000) }).to_string();
    for (method, path, body, code) in [
        ("POST", approve.as_str(), "", "unreadable"),
        ("POST", &approve, "{}", "unreadable"),
        ("POST", &approve, r#"{"reason":"x","force":true}"#, "unreadable"),
        ("POST", &approve, r#"{"reason":" "}"#, "reason-needed"),
        ("POST", &approve, &long, "reason-needed"),
        ("POST", &approve, &large, "too-large"),
        ("GET", &approve, "", "no-such-route"),
        ("GET", "/v2/asks", "", "no-such-route"),
        ("POST", "/v1/revocations", r#"{"reason":"x"}"#, "unreadable"),
        ("POST", "/v1/revocations", r#"{"grant":"a","session":"b","reason":"x"}"#, "unreadable"),
    ] {
        let (_, said) = stage.call(method, path, "dana", body).await;
        assert_eq!(said["error"]["code"], code, "{method} {path} {said}");
    }
    assert_eq!(stage.state(&id).await, "pending");
}

#[tokio::test]
async fn a_request_without_one_token_is_nobodys() {
    let stage = Stage::new().await;
    for head in ["", "authorization: Basic dana\r\n", "authorization: Bearer dana\r\nauthorization: Bearer dora\r\n"] {
        let answer = stage.raw(format!("GET /v1/asks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n").as_bytes());
        let answer = answer.await;
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Bearer"), "{answer}");
    }
    let huge = format!("GET /v1/asks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", "x".repeat(200_000));
    assert!(!stage.raw(huge.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_link_says_how_to_answer_and_nothing_of_the_ask() {
    let stage = Stage::new().await;
    let (id, _waiting) = pending(&stage, 1).await;
    let answer = stage.raw(format!("GET /asks/{id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await;
    assert!(answer.contains(&format!("portcullis approve {id}")) && !answer.contains("orders"), "{answer}");
    assert!(answer.contains("cache-control: no-store") && !answer.contains("access-control"), "{answer}");
    let odd = stage.raw(b"GET /asks/%3Cscript%3E HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(odd.starts_with("HTTP/1.1 404"), "{odd}");
}
