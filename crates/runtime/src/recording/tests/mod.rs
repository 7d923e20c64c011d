//! Tests of the spool as a whole. This file holds what they share: a folder, a session, and the
//! events of an operation as the pipeline writes them.

mod crash;
mod faults;
mod forgery;
mod hostile;
mod sessions;
mod vectors;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::clock::SystemClock;
use portcullis_core::identity::{Identity, Kind};
use portcullis_core::policy::Subject;
use portcullis_core::recording::{Event, Opening, RecordError, Recording, Status, Text};
use serde_json::value::RawValue;

use super::verify::{DirReport, FileReport};
use super::{Config, Spool, TargetRecording, read, verify};

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

/// A configuration that seals at once.
fn config(dir: &Path) -> Config {
    Config {
        dir: dir.to_owned(),
        gate: String::from("test"),
        min_free_bytes: 0,
        checkpoint_every: Duration::from_millis(20),
        ..Config::default()
    }
}

fn spool(dir: &Path) -> Spool {
    Spool::open(&config(dir), Arc::new(SystemClock)).unwrap()
}

fn subject() -> Subject {
    let identity = Identity {
        issuer: String::from("https://id.example.com"),
        subject: String::from("dana"),
        kind: Kind::User,
        groups: vec![String::from("okta:vendors")],
        email: None,
        actors: Vec::new(),
        token: None,
        authenticated: None,
        expires: SystemTime::UNIX_EPOCH,
    };
    let (target, application) = (String::from("shop"), String::from("psql"));
    let client = Ipv4Addr::LOCALHOST.into();
    Subject::new(identity, target, Vec::new(), "sql", client, application, SystemTime::UNIX_EPOCH)
}

fn try_open(spool: &Spool, target: TargetRecording) -> Result<Box<dyn Recording>, RecordError> {
    spool.recorder(target).open(&Opening { subject: &subject(), protocol: "postgres", at: 1_000_000 })
}

fn open(spool: &Spool) -> Box<dyn Recording> {
    try_open(spool, TargetRecording::default()).unwrap()
}

fn operation(op: u64, effects: &RawValue) -> Event<'_> {
    Event::Operation {
        op,
        kind: "Query".into(),
        statement: Text(b"select id, name from customers where id = 42"[..].into()),
        parameters: 0,
        types: [][..].into(),
        effects: std::borrow::Cow::Borrowed(effects),
    }
}

fn effects() -> Box<RawValue> {
    let json = r#"[{"action":"sql:read","resource":{"kind":"Table","path":["shop","public","customers"]}}]"#;
    serde_json::value::to_raw_value(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
}

/// Records an operation up to the point where it would be forwarded.
fn decide(recording: &dyn Recording, op: u64) -> Result<(), RecordError> {
    let at = 1_000_000 + op;
    recording.append(at, &operation(op, &effects()))?;
    let policies = [String::from("reads")];
    let decision = Event::Decision {
        op,
        decision: "allow".into(),
        policies: policies[..].into(),
        reason: "".into(),
        revision: "r1".into(),
    };
    recording.append(at, &decision)?;
    recording.commit()
}

fn finish(recording: &dyn Recording, op: u64) -> Result<(), RecordError> {
    let outcome = Event::Outcome {
        op,
        status: Status::Completed,
        message: "SELECT 1".into(),
        code: "".into(),
        rows: 1,
        bytes: 20,
        micros: 300,
        masked: std::collections::BTreeMap::new(),
    };
    recording.append(1_000_000 + op, &outcome)
}

#[expect(clippy::needless_pass_by_value, reason = "dropping the recording is what ends it")]
fn close(recording: Box<dyn Recording>, operations: u64) {
    let closed = Event::Closed { reason: "the client said goodbye".into(), operations };
    recording.append(2_000_000, &closed).unwrap();
    recording.commit().unwrap();
}

/// A whole session of so many operations.
fn session(spool: &Spool, operations: u64) {
    let recording = open(spool);
    for op in 1..=operations {
        decide(&*recording, op).unwrap();
        finish(&*recording, op).unwrap();
    }
    close(recording, operations);
}

fn recording(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.rec"))
}

/// The names of a recording's events.
fn kinds(dir: &Path, number: u64) -> Vec<String> {
    let lines = read::open(&recording(dir, number)).unwrap();
    lines.map(|line| line.unwrap().json().split('"').nth(1).unwrap().to_owned()).collect()
}

/// The operations of a recording that were decided.
fn decided(dir: &Path, number: u64) -> Vec<u64> {
    let lines = read::open(&recording(dir, number)).unwrap();
    let of = |line: &read::Line| match line.event().unwrap() {
        Event::Decision { op, .. } => Some(op),
        _ => None,
    };
    lines.filter_map(|line| of(&line.unwrap())).collect()
}

fn verified(dir: &Path) -> DirReport {
    verify::dir(dir, None).unwrap()
}

fn file_verified(dir: &Path, number: u64) -> FileReport {
    verify::file(&recording(dir, number), None).unwrap()
}

/// Polls until it is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < DEADLINE, "{what} did not come true in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A copy of a folder, to be damaged.
fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// Tells a thread to stop when the test is over, also when it fails.
#[derive(Default)]
struct Stop(std::sync::atomic::AtomicBool);

impl Stop {
    fn is_told(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// Tells it when dropped.
struct AtEnd<'s>(&'s Stop);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}
