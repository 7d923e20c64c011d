//! Whole Postgres sessions in memory, with a client or a target that sends anything at all. No
//! panic, no hang; a denied statement never reaches the target; the client hears whole messages;
//! every operation has one decision and one outcome on record.
#![no_main]

mod target;

use std::future::Future;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use portcullis_core::approval::Verdict;
use portcullis_core::protocol::Protocol;
use portcullis_postgres::wire::frame::peek;
use portcullis_postgres::{ClientLogin, Config, Login, Postgres};
use portcullis_sql::vocabulary;
use portcullis_testkit::fakes::{FakeConnector, FakeGate, TOKEN, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use target::Script;

/// A session in memory that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(8);
const PIPE: usize = 1 << 20;

/// What a client may send after its login, and a few things that it may not.
const CLIENT_TAGS: &[u8] = b"QPBDECHSXdcfF~";
/// What a target may send, and a few things that it may not.
const TARGET_TAGS: &[u8] = b"TDCZEN123nItGHdcASKsvRW~";

fuzz_target!(|bytes: &[u8]| {
    let Some((how, rest)) = bytes.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    runtime.block_on(async {
        match how % 5 {
            0 => orderly([login(), rest.to_vec()].concat()).await,
            1 => orderly([login(), framed(CLIENT_TAGS, rest)].concat()).await,
            2 => {
                play(rest.to_vec(), Script::Obedient).await;
            }
            3 => hostile(rest.to_vec()).await,
            _ => hostile(framed(TARGET_TAGS, rest)).await,
        }
    });
});

/// A client that sends anything, before a target that behaves.
async fn orderly(sent: Vec<u8>) {
    let (gate, heard) = play(sent, Script::Obedient).await;
    let mut rest = &heard[..];
    while !rest.is_empty() {
        let header = peek(rest, |_| PIPE).ok().flatten().expect("the client hears whole headers");
        rest = rest.get(header.total..).expect("the client hears whole messages");
    }
    let [asked, decided, ended] = ["operation", "decision", "outcome"].map(|kind| gate.recorder.of(kind).len());
    assert!(asked == decided && asked == ended, "{asked} operations, {decided} decisions, {ended} outcomes");
}

/// A target that sends anything, to a client that behaves.
async fn hostile(said: Vec<u8>) {
    let simple = frame(b'Q', b"SELECT name FROM people\0");
    let copy = frame(b'Q', b"COPY people FROM STDIN\0");
    let data = [frame(b'd', b"1\tAnn\n"), frame(b'c', b"")].concat();
    let parse = frame(b'P', b"s\0SELECT name FROM people\0\0\0");
    let bind = frame(b'B', b"\0s\0\0\0\0\0\0\0");
    let run = [frame(b'D', b"P\0"), frame(b'E', b"\0\0\0\0\0"), frame(b'S', b"")].concat();
    let asked = match said.first().map_or(0, |byte| byte % 3) {
        0 => [parse, bind, run, simple].concat(),
        1 => [simple, parse, bind, run].concat(),
        _ => [copy, data, simple].concat(),
    };
    play([login(), asked].concat(), Script::Says(said)).await;
}

/// Plays one session: the client sends all this and reads to the end.
async fn play(sent: Vec<u8>, script: Script) -> (FakeGate, Vec<u8>) {
    let gate = FakeGate::new(FakeConnector::new(move |stream| Box::pin(target::serve(stream, script.clone()))));
    for action in [vocabulary::DROP, vocabulary::UNKNOWN] {
        gate.policy.deny(action.name());
    }
    // What waits for humans waits for this alone, so that no session is slow.
    gate.policy.ask(vocabulary::DELETE.name());
    gate.approvals.answer(Verdict::Approved(vec![String::from("dana")]));
    let login = Login { user: "gate".into(), password: None };
    let config = Config { login, logins: Vec::new(), client_login: ClientLogin::Password };
    let protocol = Postgres::new(config).expect("the configuration is good");
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let served = protocol.serve(client(Box::new(theirs), true), gate.gate::<Postgres>());
    let (_, heard) = within(async { tokio::join!(served, talk(ours, &sent)) }).await;
    (gate, heard)
}

async fn talk(mut stream: DuplexStream, sent: &[u8]) -> Vec<u8> {
    let mut heard = Vec::new();
    // The gate may close while we still talk.
    let _ = stream.write_all(sent).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut heard).await;
    heard
}

async fn within<T>(session: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, session).await.expect("the session hangs")
}

fn login() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0somebody\0database\0shop\0\0";
    let length = u32::try_from(body.len() + 4).expect("a short packet");
    let password = frame(b'p', format!("{TOKEN}\0").as_bytes());
    [&length.to_be_bytes()[..], body, &password].concat()
}

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// Messages with true lengths: a byte for the type, one for the body's length, and the body.
fn framed(tags: &[u8], mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [tag, length, rest @ ..] = bytes {
        let (body, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let tag = if tags.contains(tag) { *tag } else { tags[usize::from(*tag) % tags.len()] };
        out.extend(frame(tag, body));
        bytes = rest;
    }
    out
}
