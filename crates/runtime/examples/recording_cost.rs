//! What recording costs an operation: the time of its two events and the commit, as the pipeline
//! makes them, and the memory and time of many sessions. Run it with `--release`; the folder to
//! record to may be given.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints figures or fails")]

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::clock::SystemClock;
use portcullis_core::identity::{Identity, Kind};
use portcullis_core::policy::Subject;
use portcullis_core::recording::{Event, Opening, Recorder, Recording, Status, Text};
use portcullis_runtime::recording::{Config, Spool, TargetRecording, verify};
use serde_json::value::RawValue;

const OPERATIONS: u64 = 300_000;
const IDLE: usize = 2_000;
const SHORT: usize = 2_000;

fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let given = std::env::args().nth(1);
    let dir = given.as_ref().map_or(scratch.path(), Path::new);
    let config = Config { dir: dir.to_owned(), gate: String::from("bench"), ..Config::default() };
    let spool = Spool::open(&config, Arc::new(SystemClock)).unwrap();
    let recorder = spool.recorder(TargetRecording::default());
    operations(&*recorder);
    idle(&*recorder, &spool);
    short(&*recorder, &spool);
    let begin = Instant::now();
    spool.close().unwrap();
    println!("closing the spool: {:.0?}", begin.elapsed());
    let begin = Instant::now();
    let report = verify::dir(dir, None).unwrap();
    let events: u64 = report.files.iter().map(|file| file.events).sum();
    let bytes: u64 = report.files.iter().map(|file| file.bytes).sum();
    println!(
        "verifying {} recordings, {events} events, {bytes} bytes, {} checkpoints: {:.2?}, intact: {}",
        report.files.len(),
        report.checkpoints,
        begin.elapsed(),
        report.is_intact()
    );
}

/// One busy session.
fn operations(recorder: &dyn Recorder) {
    let recording = open(recorder);
    let effects = effects();
    let (mut decisions, mut outcomes) = (Vec::new(), Vec::new());
    for op in 1..=OPERATIONS {
        let start = Instant::now();
        decide(&*recording, op, &effects);
        decisions.push(start.elapsed());
        let start = Instant::now();
        finish(&*recording, op);
        outcomes.push(start.elapsed());
    }
    show("operation + decision + commit", decisions);
    show("outcome", outcomes);
}

/// Prints how long something took. The mean is that of all but the slowest hundredth, in which this
/// thread had to wait for a processor.
fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 1000).copied().unwrap_or_default();
    let most = times.len() * 99 / 100;
    let mean = times.iter().take(most).sum::<Duration>() / u32::try_from(most).unwrap();
    println!(
        "{what}: mean {mean:.2?}, p50 {:.2?}, p90 {:.2?}, p99 {:.2?}, p99.9 {:.2?}",
        at(500),
        at(900),
        at(990),
        at(999)
    );
}

/// Many sessions that do one operation and then nothing.
fn idle(recorder: &dyn Recorder, spool: &Spool) {
    let before = resident();
    let effects = effects();
    let sessions: Vec<_> = (0..IDLE).map(|_| open(recorder)).collect();
    for session in &sessions {
        decide(&**session, 1, &effects);
    }
    settle(spool);
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let each = resident().saturating_sub(before) / IDLE;
    println!("{IDLE} idle sessions: {each} bytes of memory each, {files} files open in all");
    let begin = Instant::now();
    drop(sessions);
    settle(spool);
    println!("sealing {IDLE} sessions that end together: {:.0?}", begin.elapsed());
}

/// Sessions that come and go.
fn short(recorder: &dyn Recorder, spool: &Spool) {
    let effects = effects();
    let begin = Instant::now();
    for _ in 0..SHORT {
        let recording = open(recorder);
        decide(&*recording, 1, &effects);
        finish(&*recording, 1);
    }
    println!("a session of one operation: {:.1?} on average", begin.elapsed() / u32::try_from(SHORT).unwrap());
    settle(spool);
    println!("until {SHORT} of them are signed: {:.0?}", begin.elapsed());
}

/// Waits until all is signed.
fn settle(spool: &Spool) {
    while !spool.health().seal_lag().is_zero() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Memory that the process holds, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn open(recorder: &dyn Recorder) -> Box<dyn Recording> {
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
    let client = Ipv4Addr::LOCALHOST.into();
    let subject =
        Subject::new(identity, "shop".into(), Vec::new(), "sql", client, "psql".into(), SystemTime::UNIX_EPOCH);
    recorder.open(&Opening { subject: &subject, protocol: "postgres", at: 1_700_000_000_000_000 }).unwrap()
}

fn effects() -> Box<RawValue> {
    let effect = r#"[{"action":"sql:read","resource":{"kind":"Table","path":["shop","public","pgbench_accounts"]},"facts":{"functions":[],"unfiltered":false}}]"#;
    RawValue::from_string(effect.to_owned()).unwrap()
}

fn decide(recording: &dyn Recording, op: u64, effects: &RawValue) {
    let at = 1_700_000_000_000_000 + op * 40;
    let operation = Event::Operation {
        op,
        kind: "Execute".into(),
        statement: Text(b"SELECT abalance FROM pgbench_accounts WHERE aid = $1;"[..].into()),
        parameters: 1,
        types: [23][..].into(),
        effects: Cow::Borrowed(effects),
    };
    recording.append(at, &operation).unwrap();
    let policies = [];
    let decision = Event::Decision {
        op,
        decision: "allow".into(),
        policies: policies[..].into(),
        reason: "permitted by `vendor-reads`".into(),
        revision: "5f2c9a1b".into(),
    };
    recording.append(at, &decision).unwrap();
    recording.commit().unwrap();
}

fn finish(recording: &dyn Recording, op: u64) {
    let outcome = Event::Outcome {
        op,
        status: Status::Completed,
        message: "SELECT 1".into(),
        code: "".into(),
        rows: 1,
        bytes: 27,
        micros: 35,
        masked: std::collections::BTreeMap::new(),
    };
    recording.append(1_700_000_000_000_000 + op * 40 + 35, &outcome).unwrap();
}
