//! Clients that come in by a door: served, counted and drained like those of the port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::approval::{Approvals, NoApprovals};
use portcullis_core::identity::{Identity, Proof, Tickets};
use portcullis_core::secret::Secret;
use portcullis_core::vocabulary::Vocabulary;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::oneshot;

use super::{PATIENCE, Running};
use crate::server::beside::{Beside, Opening, Shared};
use crate::server::doors::{Doors, Shut};

static NO_WORDS: Vocabulary = Vocabulary { family: "nothing", actions: &[], resources: &[], facts: &[] };

/// Gives away what the gate shares.
struct Neighbour(oneshot::Sender<Doors>);

struct NoTickets;

impl Tickets for NoTickets {
    fn redeem(&self, _: &str, _: &Secret<String>) -> Option<Identity> {
        None
    }
}

impl Beside for Neighbour {
    fn approvals(&self) -> Arc<dyn Approvals> {
        Arc::new(NoApprovals)
    }

    fn tickets(&self) -> Arc<dyn Tickets> {
        Arc::new(NoTickets)
    }

    fn at_drain(&self) -> Box<dyn FnOnce() + Send> {
        Box::new(|| {})
    }

    fn serve(self: Box<Self>, gate: Shared) -> BoxFuture<'static, ()> {
        let _ = self.0.send(gate.doors);
        Box::pin(std::future::pending())
    }
}

async fn gate(more: &str) -> (Running, Doors) {
    let (give, given) = oneshot::channel();
    let neighbour: Box<dyn Beside> = Box::new(Neighbour(give));
    let opening = Opening { vocabulary: &NO_WORDS, open: Box::new(|_| Box::pin(async move { Ok(Some(neighbour)) })) };
    let gate = Running::start_with(more, |server| server.beside(opening)).await;
    (gate, given.await.unwrap())
}

fn peer() -> SocketAddr {
    "192.0.2.1:40000".parse().unwrap()
}

/// Comes in with a token, and a stream that is there at once.
fn enter(doors: &Doors) -> Result<BufReader<DuplexStream>, Shut> {
    let door = doors.knock("t", peer())?;
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    door.enter(Box::pin(async { Ok(Box::new(theirs) as _) }), Proof::Bearer(Secret::new("a token".to_owned())));
    Ok(BufReader::new(ours))
}

async fn hear(stream: &mut BufReader<DuplexStream>) -> String {
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await.expect("an answer in time").unwrap();
    line.trim_end().to_owned()
}

#[tokio::test]
async fn whoever_comes_in_by_a_door_is_served_with_what_they_have_shown() {
    let (_gate, doors) = gate("").await;
    let mut client = enter(&doors).unwrap();
    assert_eq!(hear(&mut client).await, "proven by a token, TLS false");
    client.write_all(b"echo here\n").await.unwrap();
    assert_eq!(hear(&mut client).await, "here");
    assert_eq!(doors.knock("another", peer()).err(), Some(Shut::Unknown));
}

#[tokio::test]
async fn doors_and_port_share_the_limits() {
    let (gate, doors) = gate("[limits]\nconnections = 2\nconnections_per_address = 1").await;
    let first = enter(&doors).unwrap();
    assert_eq!(doors.knock("t", peer()).err(), Some(Shut::Full));
    let mut talk = gate.connect().await;
    talk.say("echo still room").await;
    assert_eq!(talk.hear().await, "still room");
    assert_eq!(doors.knock("t", "192.0.2.2:40000".parse().unwrap()).err(), Some(Shut::Full));
    drop(first);
    gate.shows("portcullis_connections_open 1").await;
    // A place that was not used is free again, too.
    drop(doors.knock("t", peer()).unwrap());
    assert_eq!(hear(&mut enter(&doors).unwrap()).await, "proven by a token, TLS false");
}

#[tokio::test]
async fn stream_that_never_comes_frees_its_place_at_the_login_deadline() {
    let (gate, doors) = gate("[limits]\nlogin_deadline = \"100ms\"").await;
    let proof = || Proof::Bearer(Secret::new("a token".to_owned()));
    doors.knock("t", peer()).unwrap().enter(Box::pin(std::future::pending()), proof());
    let gone = async { Err(io::Error::from(io::ErrorKind::BrokenPipe)) };
    doors.knock("t", peer()).unwrap().enter(Box::pin(gone), proof());
    gate.shows("portcullis_connections_open 0").await;
}

#[tokio::test]
async fn session_behind_a_door_is_drained_and_the_door_is_shut() {
    let (mut gate, doors) = gate("").await;
    let mut client = enter(&doors).unwrap();
    hear(&mut client).await;
    let token = gate.issuer.mint(&portcullis_testkit::issuer::Claims::new("ann"));
    client.write_all(format!("login {token}\n").as_bytes()).await.unwrap();
    gate.shows("portcullis_sessions_open{protocol=\"lines\",target=\"t\"} 1").await;
    gate.stop.take().unwrap().send(()).unwrap();
    assert_eq!(hear(&mut client).await, "Finish(Drain)");
    assert!(!gate.done.is_finished(), "the gate does not wait for it");
    assert_eq!(doors.knock("t", peer()).err(), Some(Shut::Stopping));
    drop(client);
    tokio::time::timeout(PATIENCE, gate.done).await.expect("the gate ends").unwrap();
}
