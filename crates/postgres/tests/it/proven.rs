//! Clients that come through the gate's own tunnel: they are proven before their protocol begins.

use portcullis_postgres::ClientLogin;
use portcullis_testkit::fakes::TOKEN;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::scripted_client::{Client, frame, startup};
use crate::stage::{Stage, within};

const SSL: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const DIRECT_TLS: [u8; 5] = [0x16, 3, 1, 0, 0];
const SHOP: [(&str, &str); 2] = [("user", "somebody"), ("database", "shop")];

#[tokio::test]
async fn proven_client_is_asked_for_nothing_whatever_the_login_of_others() {
    for login in [ClientLogin::Password, ClientLogin::OAuthBearer] {
        let stage = Stage::with(login);
        let (mut stream, _served) = stage.connect_proven(TOKEN);
        stream.write_all(&startup(&SHOP)).await.unwrap();
        let mut first = [0; 9];
        within(stream.read_exact(&mut first)).await.unwrap();
        assert_eq!(first[..], frame(b'R', &[0, 0, 0, 0]), "it was asked for something");
    }
}

#[tokio::test]
async fn tunnel_counts_as_encrypted_and_offers_no_encryption_of_its_own() {
    let stage = Stage::new();
    let (mut stream, _served) = stage.connect_proven(TOKEN);
    stream.write_all(&SSL).await.unwrap();
    assert_eq!(within(stream.read_u8()).await.unwrap(), b'N');
    let mut client = within(Client::log_in(stream, "not asked for")).await.unwrap();
    assert_eq!(stage.gate.recorder.of("operation")[0]["effects"][0]["facts"]["tls"], true);
    client.send(&frame(b'Q', b"SELECT 1\0")).await;
    assert_eq!(within(client.until_ready()).await.error, None);
    let (mut stream, served) = stage.connect_proven(TOKEN);
    stream.write_all(&DIRECT_TLS).await.unwrap();
    assert!(within(served).await.unwrap().unwrap_err().to_string().contains("it wants TLS"));
}

#[tokio::test]
async fn proof_that_is_not_good_is_refused_before_any_dial() {
    let stage = Stage::new();
    let told = within(Client::log_in(stage.connect_proven("forged").0, TOKEN)).await.err().unwrap();
    assert!(told.contains("28000"), "{told}");
    assert_eq!(stage.gate.connector.dials(), 0);
}

#[tokio::test]
async fn policy_of_connect_decides_a_proven_client_too() {
    let stage = Stage::new();
    stage.gate.policy.deny("sql:connect");
    let told = within(Client::log_in(stage.connect_proven(TOKEN).0, TOKEN)).await.err().unwrap();
    assert!(told.contains("42501"), "{told}");
    assert_eq!(stage.gate.connector.dials(), 0);
}

#[tokio::test]
async fn cancel_request_through_the_tunnel_reaches_its_session() {
    let stage = Stage::new();
    let client = within(Client::log_in(stage.connect_proven(TOKEN).0, TOKEN)).await.unwrap();
    let request = [&16_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &client.key].concat();
    let (mut stream, served) = stage.connect_proven(TOKEN);
    stream.write_all(&request).await.unwrap();
    within(served).await.unwrap().unwrap();
    assert!(stage.gate.recorder.of("operation").iter().any(|operation| operation["kind"] == "cancel"));
}
