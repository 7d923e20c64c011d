//! Targets that break the protocol, and cancel requests: the client gets a clear end, the operator
//! the reason, and nobody else notices.

use portcullis_core::masking::{Detector, Rules, Settings};
use tokio::io::AsyncWriteExt;

use crate::scripted_client::frame;
use crate::stage::{Stage, within};

#[tokio::test]
async fn what_the_target_may_not_say_ends_the_session_and_does_not_pass() {
    for (trick, secret) in [
        ("trick_unasked_rows", &b"unasked"[..]),
        ("trick_absurd_length", b"absurd"),
        ("trick_short_length", b"\0\0\0\x02"),
        ("trick_unknown_type", b"unknown type"),
        ("trick_copy_both", b"W\0\0\0"),
        ("trick_ready_twice", b"Z\0\0\0\x05IZ"),
    ] {
        let stage = Stage::new();
        let mut bystander = stage.client().await;
        let mut client = stage.client().await;
        client.send(&frame(b'Q', format!("SELECT {trick}\0").as_bytes())).await;
        let reply = within(client.until_closed()).await;
        let told = reply.error.unwrap_or_default();
        assert!(told.contains("the target broke the protocol"), "{trick}: {told}");
        assert!(!reply.bytes.windows(secret.len()).any(|window| window == secret), "{trick} passed");
        bystander.send(&frame(b'Q', b"SELECT name FROM people\0")).await;
        assert_eq!(within(bystander.until_ready()).await.error, None, "{trick} was noticed by another session");
    }
}

/// A stage on which e-mail addresses are hidden wherever they stand.
fn masking() -> Stage {
    let settings = Settings { detect: [Detector::Email].into(), ..Settings::default() };
    let mut stage = Stage::new();
    stage.gate.masking = Rules::new(&settings).unwrap();
    stage.gate.policy.deny("reveal");
    stage
}

#[tokio::test]
async fn rows_that_are_not_as_described_end_the_session_where_something_is_hidden() {
    for trick in ["trick_more_columns", "trick_fewer_columns", "trick_longer_value"] {
        let stage = masking();
        let mut client = stage.client().await;
        client.send(&frame(b'Q', format!("SELECT {trick}\0").as_bytes())).await;
        let reply = within(client.until_closed()).await;
        let told = reply.error.unwrap_or_default();
        assert!(told.contains("the target broke the protocol"), "{trick}: {told}");
        assert!(!String::from_utf8_lossy(&reply.bytes).contains("ada@"), "{trick} passed");
        let outcome = stage.gate.recorder.of("outcome").pop().unwrap();
        assert!(!outcome.to_string().contains("ada@"), "{outcome}");
    }
}

#[tokio::test]
async fn values_that_their_type_does_not_have_are_not_shown() {
    let stage = masking();
    let mut client = stage.client().await;
    client.send(&frame(b'Q', b"SELECT trick_odd_values\0")).await;
    let reply = within(client.until_ready()).await;
    // The number is null, and of the text nothing is left of the address in it.
    assert!(reply.bytes.windows(6).any(|bytes| bytes == b"\0\x02\xff\xff\xff\xff"), "{:?}", reply.bytes);
    assert!(!String::from_utf8_lossy(&reply.bytes).contains("ada@"));
    assert!(!stage.gate.recorder.of("rows").iter().any(|rows| rows.to_string().contains("ada@")));
}

#[tokio::test]
async fn a_target_that_drops_the_connection_in_the_middle_aborts_the_operation() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    client.send(&frame(b'Q', b"SELECT trick_drop\0")).await;
    let reply = within(client.until_closed()).await;
    assert!(reply.closed);
    drop(client);
    let outcomes = || stage.outcomes().contains(&"aborted".to_owned());
    within(async {
        while !outcomes() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_cancel_request_with_the_right_key_reaches_the_target_with_the_targets_own() {
    let stage = Stage::new();
    let client = stage.client().await;
    let request = |key: &[u8]| {
        [&u32::try_from(8 + key.len()).unwrap().to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), key].concat()
    };
    let theirs = [&16_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &[0, 0, 0, 7, 1, 2, 3, 4]].concat();
    let mut wrong = client.key.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let (mut stream, served) = stage.connect();
    stream.write_all(&request(&wrong)).await.unwrap();
    within(served).await.unwrap().unwrap();
    assert!(!stage.target_received(&theirs), "a wrong key cancelled");
    let (mut stream, served) = stage.connect();
    stream.write_all(&request(&client.key)).await.unwrap();
    within(served).await.unwrap().unwrap();
    within(async {
        while !stage.target_received(&theirs) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(stage.gate.recorder.of("operation").iter().any(|operation| operation["kind"] == "cancel"));
}

#[tokio::test]
async fn a_cancel_that_policy_denies_does_not_reach_the_target() {
    let stage = Stage::new();
    stage.gate.policy.deny("sql:cancel");
    let client = stage.client().await;
    let dials = stage.gate.connector.dials();
    let (mut stream, served) = stage.connect();
    let length = u32::try_from(8 + client.key.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &client.key].concat()).await.unwrap();
    within(served).await.unwrap().unwrap();
    within(async {
        while !stage.outcomes().contains(&"refused".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(stage.gate.connector.dials(), dials);
}
