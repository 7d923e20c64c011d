//! Tunnels over real sockets: who gets one, what is refused before it, and how many there may be.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use portcullis_control::tunnel::{Coming, Door, Doors, Shut};
use portcullis_core::identity::Proof;
use reqwest::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Plane;

/// Hands in to `shop`, which says who came and then repeats what it hears. `full` is full.
pub(crate) struct Shop;

struct Open(SocketAddr);

impl Doors for Shop {
    fn leads_to(&self, target: &str) -> bool {
        ["shop", "full", "stopping"].contains(&target)
    }

    fn knock(&self, target: &str, peer: SocketAddr) -> Result<Box<dyn Door>, Shut> {
        match target {
            "shop" => Ok(Box::new(Open(peer))),
            "full" => Err(Shut::Full),
            "stopping" => Err(Shut::Stopping),
            _ => Err(Shut::Unknown),
        }
    }
}

impl Door for Open {
    fn enter(self: Box<Self>, stream: Coming, proof: Proof) {
        let Proof::Bearer(token) = proof;
        tokio::spawn(async move {
            let mut stream = stream.await.unwrap();
            let greeting = format!("{} from {}\n", token.expose(), self.0);
            stream.write_all(greeting.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let (mut reads, mut writes) = tokio::io::split(stream);
            let _ = tokio::io::copy(&mut reads, &mut writes).await;
        });
    }
}

/// Asks for a tunnel; what is behind the head of the answer stays in the stream.
async fn ask(plane: &Plane, target: &str, head: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(plane.address).await.unwrap();
    let request = format!("GET /v1/tunnel/{target} HTTP/1.1\r\nhost: gate\r\n{head}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(answer).unwrap())
}

const UPGRADE: &str = "authorization: Bearer eve\r\nconnection: keep-alive, Upgrade\r\nupgrade: portcullis\r\n";

async fn line(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while heard.last() != Some(&b'\n') {
        heard.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn tunnel_carries_bytes_both_ways_and_says_who_came_from_where() {
    let plane = Plane::start().await;
    let (mut stream, answer) = ask(&plane, "shop", UPGRADE).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("upgrade: portcullis\r\n"), "{answer}");
    let from = stream.local_addr().unwrap();
    assert_eq!(line(&mut stream).await, format!("eve from {from}\n"));
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let (mut reads, mut writes) = stream.split();
    let mut back = vec![0; bytes.len()];
    let (sent, heard) = tokio::join!(writes.write_all(&bytes), reads.read_exact(&mut back));
    sent.and(heard.map(drop)).unwrap();
    assert!(back == bytes, "the bytes have changed");
}

#[tokio::test]
async fn what_a_client_sends_right_behind_its_request_is_not_lost() {
    let plane = Plane::start().await;
    let (mut stream, _) = ask(&plane, "shop", &format!("{UPGRADE}\r\nhere already")).await;
    line(&mut stream).await;
    let mut heard = [0; 14];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"here already\r\n");
}

#[tokio::test]
async fn what_is_no_tunnel_for_you_is_refused_in_http() {
    let plane = Plane::start().await;
    let bearer = "authorization: Bearer eve\r\n";
    for (target, head, status) in [
        ("shop", "connection: upgrade\r\nupgrade: portcullis\r\n", StatusCode::UNAUTHORIZED),
        (
            "shop",
            "authorization: Bearer forged\r\nconnection: upgrade\r\nupgrade: portcullis\r\n",
            StatusCode::UNAUTHORIZED,
        ),
        (
            "shop",
            "authorization: Bearer expired\r\nconnection: upgrade\r\nupgrade: portcullis\r\n",
            StatusCode::UNAUTHORIZED,
        ),
        ("shop", bearer, StatusCode::UPGRADE_REQUIRED),
        ("shop", &format!("{bearer}connection: upgrade\r\nupgrade: websocket\r\n"), StatusCode::UPGRADE_REQUIRED),
        ("shop", &format!("{bearer}upgrade: portcullis\r\n"), StatusCode::UPGRADE_REQUIRED),
        ("nowhere", UPGRADE, StatusCode::NOT_FOUND),
        ("nowhere", bearer, StatusCode::NOT_FOUND),
        ("full", UPGRADE, StatusCode::SERVICE_UNAVAILABLE),
        ("stopping", UPGRADE, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let (_stream, answer) = ask(&plane, target, head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {}", status.as_u16())), "{target}, {head}: {answer}");
        assert!(answer.contains("content-type: application/json"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_tunnels_are_open_at_once_and_the_api_still_answers() {
    raise_file_limit();
    let plane = Plane::start().await;
    let mut tunnels = Vec::new();
    for _ in 0..20 {
        let batch = join_all((0..100).map(|_| ask(&plane, "shop", UPGRADE))).await;
        tunnels.extend(batch.into_iter().map(|(stream, answer)| {
            assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
            stream
        }));
    }
    let speaking = tunnels.iter_mut().enumerate().map(async |(number, stream)| {
        line(stream).await;
        stream.write_all(format!("number {number}\n").as_bytes()).await.unwrap();
        assert_eq!(line(stream).await, format!("number {number}\n"));
    });
    tokio::time::timeout(Duration::from_secs(60), join_all(speaking)).await.expect("all answer in time");
    assert_eq!(tunnels.len(), 2_000);
    let asked = plane.client.get(format!("http://{}/v1/me", plane.address)).bearer_auth("eve").send();
    assert_eq!(asked.await.unwrap().status(), StatusCode::OK);
}

/// Both ends of all tunnels are in this process.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}
