//! The first packets, and logins that are no plain password.

use portcullis_postgres::ClientLogin;
use portcullis_testkit::fakes::TOKEN;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::scripted_client::{Client, frame, startup, startup_of};
use crate::stage::{Stage, within};

const SSL: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSSENC: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

#[tokio::test]
async fn encryption_that_is_not_to_be_had_is_answered_n_and_the_login_goes_on() {
    let stage = Stage::new();
    let (mut stream, _served) = stage.connect();
    for request in [GSSENC, SSL] {
        stream.write_all(&request).await.unwrap();
        assert_eq!(within(stream.read_u8()).await.unwrap(), b'N');
    }
    within(Client::log_in(stream, TOKEN)).await.unwrap();
}

#[tokio::test]
async fn a_missing_database_is_the_users_name_before_policy_sees_it() {
    let stage = Stage::new();
    stage.client_with(&[("user", "ann")]).await.unwrap();
    let effects = &stage.gate.recorder.of("operation")[0]["effects"];
    assert_eq!(effects[0]["resource"]["path"][0], "ann");
    assert!(stage.target_received(b"database\0ann\0"));
}

#[tokio::test]
async fn the_login_on_the_target_is_the_configured_one() {
    let stage = Stage::new();
    stage.client_with(&[("user", "postgres"), ("database", "shop")]).await.unwrap();
    assert!(stage.target_received(b"user\0gate\0"));
    assert!(!stage.target_received(b"user\0postgres\0"));
    assert!(!stage.target_received(TOKEN.as_bytes()), "the token reached the target");
}

#[tokio::test]
async fn replication_is_an_action_of_its_own() {
    let stage = Stage::new();
    stage.gate.policy.deny("sql:replication");
    let told =
        stage.client_with(&[("user", "a"), ("database", "shop"), ("replication", "database")]).await.err().unwrap();
    assert!(told.contains("42501"), "{told}");
    assert_eq!(stage.gate.connector.dials(), 0);
    stage.client_with(&[("user", "a"), ("database", "shop"), ("replication", "off")]).await.unwrap();
}

#[tokio::test]
async fn startup_options_are_facts() {
    let stage = Stage::new();
    stage.client_with(&[("user", "a"), ("options", "-c search_path=evil"), ("DateStyle", "ISO")]).await.unwrap();
    let facts = &stage.gate.recorder.of("operation")[0]["effects"][0]["facts"];
    assert_eq!(facts["options"], serde_json::json!(["DateStyle=ISO", "options=-c search_path=evil"]));
}

#[tokio::test]
async fn what_would_blind_the_gate_is_refused_at_startup() {
    for parameters in [
        [("user", "a"), ("client_encoding", "SJIS")],
        [("user", "a"), ("client_encoding", "gb18030")],
        [("user", "a"), ("standard_conforming_strings", "off")],
        [("user", "a"), ("options", "-c standard_conforming_strings=off")],
        [("user", "a"), ("options", "--standard-conforming-strings=off")],
        [("user", ""), ("database", "shop")],
    ] {
        let stage = Stage::new();
        assert!(stage.client_with(&parameters).await.is_err(), "{parameters:?}");
        assert_eq!(stage.gate.connector.dials(), 0);
    }
}

#[tokio::test]
async fn a_newer_protocol_is_negotiated_down() {
    let stage = Stage::new();
    let (mut stream, _served) = stage.connect();
    stream.write_all(&startup_of(196_608 + 9, &[("user", "a"), ("_pq_.novelty", "on")])).await.unwrap();
    let mut answer = vec![0; 1 + 4 + 4 + 4 + 13];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, frame(b'v', b"\0\x03\0\x02\0\0\0\x01_pq_.novelty\0"));
}

#[tokio::test]
async fn protocol_3_2_gets_a_long_cancel_key_and_3_0_a_short_one() {
    for (minor, length) in [(0, 4), (2, 32)] {
        let stage = Stage::new();
        let client = within(Client::start(stage.connect().0, &startup_of(196_608 + minor, &[("user", "a")]), TOKEN))
            .await
            .unwrap();
        assert_eq!(client.key.len(), 4 + length);
        assert!(!client.key.ends_with(&[1, 2, 3, 4]), "the target's own key reached the client");
    }
}

#[tokio::test]
async fn an_oauthbearer_client_logs_in_and_one_without_a_token_learns_where_to_get_it() {
    let stage = Stage::with(ClientLogin::OAuthBearer);
    for (token, good) in [(TOKEN, true), ("", false), ("wrong", false)] {
        let (mut stream, _served) = stage.connect();
        stream.write_all(&startup(&[("user", "a")])).await.unwrap();
        let mut offer = [0; 5 + 4 + 13];
        within(stream.read_exact(&mut offer)).await.unwrap();
        assert_eq!(&offer[9..], b"OAUTHBEARER\0\0");
        let scheme = if token.is_empty() { "" } else { "Bearer " };
        let data = format!("n,,\x01auth={scheme}{token}\x01\x01");
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        stream.write_all(&frame(b'p', &[b"OAUTHBEARER\0", &length[..], data.as_bytes()].concat())).await.unwrap();
        if token.is_empty() {
            let mut header = [0; 9];
            within(stream.read_exact(&mut header)).await.unwrap();
            assert_eq!((header[0], &header[5..]), (b'R', &[0, 0, 0, 11][..]));
            stream.write_all(&frame(b'p', b"\x01")).await.unwrap();
        }
        let mut heard = vec![0; 1];
        if good {
            within(stream.read_exact(&mut heard)).await.unwrap();
            assert_eq!(heard, b"R");
        } else {
            within(stream.read_to_end(&mut heard)).await.unwrap();
            assert!(String::from_utf8_lossy(&heard).contains("28000"), "{heard:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dawdles_is_let_go_at_the_deadline() {
    let stage = Stage::new();
    let (mut stream, served) = stage.connect();
    stream.write_all(&[0, 0]).await.unwrap();
    let why = served.await.unwrap().unwrap_err();
    assert_eq!(why.to_string(), "client: it took too long to log in");
}
