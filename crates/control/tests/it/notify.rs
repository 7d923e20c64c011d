//! Receivers of notifications that fail, hang, and check the signature; each is told all the same.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_control::notify::{Kind, Receiver};
use portcullis_control::{Control, Settings};
use portcullis_core::secret::SecretRef;
use serde_json::Value;

use crate::Plane;

const KEY: &[u8] = b"a key of twenty-four byte";

/// How a receiver answers a request.
#[derive(Debug, Clone, Copy)]
enum Answers {
    Well,
    With(StatusCode),
    Redirects,
    Never,
}

/// A receiver that answers as it is told, and well after that.
#[derive(Clone, Default)]
struct Listening {
    script: Arc<Mutex<VecDeque<Answers>>>,
    heard: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Listening {
    async fn start(script: &[Answers]) -> (Self, SocketAddr) {
        let listening = Self { script: Arc::new(Mutex::new(script.iter().copied().collect())), ..Self::default() };
        let socket = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let routes = Router::new().fallback(answer).with_state(listening.clone());
        tokio::spawn(async move { axum::serve(socket, routes).await.unwrap() });
        (listening, address)
    }

    fn heard(&self) -> Vec<(HeaderMap, Bytes)> {
        self.heard.lock().unwrap().clone()
    }

    fn types(&self) -> Vec<String> {
        let kind = |body: &Bytes| field(body, "type");
        self.heard().iter().map(|(_, body)| kind(body)).collect()
    }

    async fn until(&self, requests: usize) {
        let waiting = async {
            while self.heard().len() < requests {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(came.is_ok(), "{} of {requests} requests came", self.heard().len());
    }
}

async fn answer(State(own): State<Listening>, headers: HeaderMap, body: Bytes) -> Response {
    own.heard.lock().unwrap().push((headers, body));
    let next = own.script.lock().unwrap().pop_front().unwrap_or(Answers::Well);
    match next {
        Answers::Well => StatusCode::NO_CONTENT.into_response(),
        Answers::With(status) => (status, "x".repeat(1 << 20)).into_response(),
        Answers::Redirects => Redirect::temporary("/elsewhere").into_response(),
        Answers::Never => std::future::pending().await,
    }
}

/// A secret in a file of this folder.
fn kept(folder: &Path, name: &str, text: &str) -> SecretRef {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    SecretRef::File(path)
}

fn webhook(folder: &Path, name: &str, address: SocketAddr) -> Receiver {
    let url = kept(folder, &format!("{name}-url"), &format!("http://{address}/hooks/tell?token=t0k3n\n"));
    let secret = kept(folder, &format!("{name}-secret"), &format!("whsec_{}", STANDARD.encode(KEY)));
    Receiver { name: name.into(), url, kind: Kind::Webhook { secret } }
}

fn field(body: &Bytes, name: &str) -> String {
    let json: Value = serde_json::from_slice(body).unwrap();
    json.get(name).and_then(Value::as_str).unwrap().to_owned()
}

/// What a receiver has to check before it believes a word; the delivery's id.
fn checked((headers, body): &(HeaderMap, Bytes)) -> String {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, time, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let signed = [format!("{id}.{time}.").as_bytes(), body].concat();
    let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, KEY), &signed, &tag).unwrap();
    let age = jiff::Timestamp::now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..30).contains(&age), "{age}");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(field(body, "id"), id);
    id
}

#[tokio::test]
async fn receiver_is_told_of_an_ask_and_of_its_end_without_the_statement() {
    let folder = tempfile::tempdir().unwrap();
    let (listening, address) = Listening::start(&[]).await;
    let receivers = vec![webhook(folder.path(), "on-call", address)];
    let plane = Plane::telling(folder, receivers).await;
    let (id, _waiting) = plane.asked(1, 2).await;
    listening.until(1).await;
    // One yes of two changes no state.
    plane.yes("dana", &id).await;
    plane.yes("erin", &id).await;
    listening.until(3).await;
    assert_eq!(listening.types(), ["ask.pending", "ask.approved", "ask.used"]);
    let heard = listening.heard();
    let mut ids: Vec<String> = heard.iter().map(checked).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let json: Value = serde_json::from_slice(&heard[0].1).unwrap();
    assert_eq!((&json["ask"]["id"], &json["ask"]["requester"]), (&id.clone().into(), &"vendor@example.com".into()));
    assert_eq!(json["ask"]["url"], format!("https://portcullis.example.com/asks/{id}"));
    assert!(!String::from_utf8_lossy(&heard[0].1).contains("DELETE"));
}

#[tokio::test]
async fn receiver_that_fails_is_told_again_with_the_same_id_and_a_new_signature() {
    let folder = tempfile::tempdir().unwrap();
    let script = [Answers::With(StatusCode::INTERNAL_SERVER_ERROR), Answers::Redirects];
    let (listening, address) = Listening::start(&script).await;
    let receivers = vec![webhook(folder.path(), "on-call", address)];
    let plane = Plane::telling(folder, receivers).await;
    let (_id, _waiting) = plane.asked(1, 1).await;
    listening.until(3).await;
    let heard = listening.heard();
    let ids: Vec<String> = heard.iter().map(checked).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(heard.iter().all(|(_, body)| *body == heard[0].1));
    assert_ne!(heard[0].0["webhook-timestamp"], heard[2].0["webhook-timestamp"]);
    // What was taken is not told again.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(listening.heard().len(), 3);
}

#[tokio::test]
async fn receiver_that_hangs_or_is_away_holds_up_neither_asks_nor_others() {
    let folder = tempfile::tempdir().unwrap();
    let (hanging, slow) = Listening::start(&[Answers::Never; 100]).await;
    let (well, good) = Listening::start(&[]).await;
    let away = {
        let socket = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.local_addr().unwrap()
    };
    let at = folder.path();
    let receivers = vec![webhook(at, "slow", slow), webhook(at, "away", away), webhook(at, "good", good)];
    let plane = Plane::telling(folder, receivers).await;
    let began = std::time::Instant::now();
    for number in 1..=3 {
        let (id, waiting) = plane.asked(number, 1).await;
        plane.yes("dana", &id).await;
        waiting.await.unwrap();
    }
    well.until(9).await;
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!(hanging.heard().len(), 1);
}

#[tokio::test]
async fn restart_loses_nothing_that_was_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let (failing, address) = Listening::start(&[Answers::With(StatusCode::BAD_GATEWAY); 100]).await;
    let receivers = vec![webhook(folder.path(), "on-call", address), webhook(folder.path(), "retired", address)];
    let plane = Plane::telling(folder, receivers).await;
    let (_id, _waiting) = plane.asked(1, 1).await;
    failing.until(2).await;
    let Plane { serving, folder, approvals, .. } = plane;
    serving.abort();
    assert!(serving.await.is_err());
    drop(approvals);

    let (listening, address) = Listening::start(&[]).await;
    let receivers = vec![webhook(folder.path(), "on-call", address)];
    let _plane = Plane::telling(folder, receivers).await;
    listening.until(1).await;
    let id = checked(&listening.heard()[0]);
    assert!(failing.heard().iter().any(|request| checked(request) == id));
    // Whoever is no receiver any more is told nothing, and nothing is kept for them.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(listening.types()[..], ["ask.pending"]);
}

#[tokio::test]
async fn slack_gets_a_message_with_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (listening, address) = Listening::start(&[]).await;
    let url = kept(folder.path(), "slack", &format!("http://{address}/services/T0/B0/x"));
    let plane = Plane::telling(folder, vec![Receiver { name: "dbas".into(), url, kind: Kind::Slack }]).await;
    let (id, waiting) = plane.asked(1, 1).await;
    listening.until(1).await;
    plane.yes("dana", &id).await;
    waiting.await.unwrap();
    listening.until(2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let heard = listening.heard();
    assert_eq!(heard.len(), 2, "that it was used is no news to people");
    assert!(heard.iter().all(|(headers, _)| headers.get("webhook-signature").is_none()));
    let text = |number: usize| serde_json::from_slice::<Value>(&heard[number].1).unwrap()["text"].to_string();
    assert!(
        text(0).contains(&format!("<https://portcullis.example.com/asks/{id}|Look at it and answer>")),
        "{}",
        text(0)
    );
    assert!(text(1).contains("is approved"), "{}", text(1));
}

#[tokio::test]
async fn receiver_that_cannot_work_is_named_at_the_start_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let good = webhook(folder.path(), "good", (Ipv4Addr::LOCALHOST, 1).into());
    let far = kept(folder.path(), "far", "http://hooks.example.com/s3cr3t");
    let short = kept(folder.path(), "short", "s3cr3t");
    let missing = SecretRef::File(folder.path().join("missing"));
    for (receiver, says) in [
        (Receiver { url: far, ..good.clone() }, "begins with `https://`"),
        (Receiver { url: missing, ..good.clone() }, "cannot be read"),
        (Receiver { kind: Kind::Webhook { secret: short }, ..good }, "24 to 64 bytes"),
    ] {
        let settings = Settings {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            url: None,
            database: folder.path().join("control.sqlite"),
            max_login_age: Duration::from_secs(60),
            sign_in_lasts: Duration::from_secs(60),
            notify: vec![receiver],
        };
        let why = Control::open(settings, false).await.err().unwrap().to_string();
        assert!(why.contains("`good`") && why.contains(says) && !why.contains("s3cr3t"), "{why}");
    }
}
