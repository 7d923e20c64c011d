use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_core::clock::SystemClock;
use portcullis_core::identity::{Identity, Kind};
use portcullis_core::policy::Subject;
use portcullis_core::recording::{Event, Opening, Status, Stream, Text};
use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::{Export, Format};
use crate::recording::{Config, Spool, TargetRecording, path_of, read};

/// 2026-11-23T02:59:00Z.
const AT: u64 = 1_795_402_740_000_000;

fn subject() -> Subject {
    let identity = Identity {
        issuer: "https://id.example.com".into(),
        subject: "00u1".into(),
        kind: Kind::User,
        groups: vec!["okta:vendors".into()],
        email: Some("ann@example.com".into()),
        actors: vec!["agent-7".into()],
        token: None,
        authenticated: None,
        expires: SystemTime::UNIX_EPOCH,
    };
    let client = Ipv4Addr::LOCALHOST.into();
    Subject::new(identity, "web-1".into(), Vec::new(), "ssh", client, "OpenSSH".into(), SystemTime::UNIX_EPOCH)
}

/// Records a session with these events, each so many microseconds after it began.
fn recorded(dir: &Path, protocol: &'static str, events: &[(u64, Event<'_>)]) {
    let config = Config { dir: dir.to_owned(), min_free_bytes: 0, ..Config::default() };
    let spool = Spool::open(&config, Arc::new(SystemClock)).unwrap();
    let opening = Opening { subject: &subject(), protocol, at: AT };
    let recording = spool.recorder(TargetRecording::default()).open(&opening).unwrap();
    for (after, event) in events {
        recording.append(AT + after, event).unwrap();
    }
    recording.commit().unwrap();
    drop(recording);
    spool.close().unwrap();
}

fn exported(dir: &Path, format: Format, op: Option<u64>) -> Result<String, String> {
    let reader = read::open(&path_of(dir, 1)).unwrap();
    let export = Export::begin(reader, format, op).map_err(|why| why.to_string())?;
    let pieces: Result<Vec<_>, _> = export.collect();
    String::from_utf8(pieces.map_err(|why| why.to_string())?.concat()).map_err(|why| why.to_string())
}

fn effects(effects: &Value) -> Box<RawValue> {
    to_raw_value(effects).unwrap()
}

fn asked<'a>(op: u64, kind: &'a str, statement: &'a [u8], effects: &'a RawValue) -> Event<'a> {
    Event::Operation {
        op,
        kind: kind.into(),
        statement: Text(statement.into()),
        parameters: 0,
        types: [].as_slice().into(),
        effects: std::borrow::Cow::Borrowed(effects),
    }
}

fn decided(op: u64, decision: &'static str) -> Event<'static> {
    let policies = vec![String::from("p")].into();
    Event::Decision { op, decision: decision.into(), policies, reason: "why".into(), revision: "r1".into() }
}

fn ended(op: u64, status: Status, message: &'static str) -> Event<'static> {
    let masked = BTreeMap::from([("email".into(), 2)]);
    Event::Outcome { op, status, message: message.into(), code: "".into(), rows: 3, bytes: 40, micros: 9, masked }
}

const fn shown(op: u64, stream: Stream, data: &[u8]) -> Event<'_> {
    Event::Terminal { op, stream, data: Text(std::borrow::Cow::Borrowed(data)) }
}

/// A shell, beside which a command is denied, another terminal opens, and a character is cut in two.
fn shell(dir: &Path) {
    let runs = effects(&json!([{ "action": "ssh:exec", "resource": { "kind": "Login", "path": ["root"] } }]));
    recorded(
        dir,
        "ssh",
        &[
            (10, asked(1, "shell", b"", &runs)),
            (11, decided(1, "allow")),
            (1_000_000, Event::Resize { op: 1, columns: 0, rows: 0 }),
            (1_250_000, shown(1, Stream::Output, b"caf\xc3")),
            (1_500_000, shown(1, Stream::Input, b"typed")),
            (1_500_001, shown(1, Stream::Output, b"\xa9 \x1b[1m\"\xff\r\n")),
            (2_000_000, asked(2, "exec", b"rm -rf /\n", &runs)),
            (2_000_001, decided(2, "deny")),
            (2_000_002, ended(2, Status::Refused, "denied by policy `p`")),
            (2_100_000, Event::Resize { op: 3, columns: 9, rows: 9 }),
            (2_100_001, shown(3, Stream::Output, b"of another")),
            (1_900_000, Event::Resize { op: 1, columns: 132, rows: 43 }),
            (63_000_000, shown(1, Stream::Error, b"\xe2\x86")),
            (64_000_000, ended(1, Status::Completed, "")),
            (65_000_000, decided(4, "allow")),
        ],
    );
}

#[test]
fn terminal_is_asciicast_with_a_marker_at_each_decision() {
    let dir = tempfile::tempdir().unwrap();
    shell(dir.path());
    let two = "\
{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1795402741,\"title\":\"gate-0000000001 on web-1\"}
[0.000000,\"m\",\"allow #1 shell\"]
[0.250000,\"o\",\"caf\"]
[0.500001,\"o\",\"é \\u001b[1m\\\"\u{fffd}\\r\\n\"]
[1.000001,\"m\",\"deny #2 exec rm -rf /\"]
[1.100000,\"m\",\"#3 has a terminal of its own\"]
[1.100000,\"r\",\"132x43\"]
[63.000000,\"o\",\"\u{fffd}\"]
";
    assert_eq!(exported(dir.path(), Format::Asciicast, None).unwrap(), two);
    let three = "\
{\"version\":3,\"term\":{\"cols\":80,\"rows\":24},\"timestamp\":1795402741,\"title\":\"gate-0000000001 on web-1\"}
[0.000000,\"m\",\"allow #1 shell\"]
[0.250000,\"o\",\"caf\"]
[0.250001,\"o\",\"é \\u001b[1m\\\"\u{fffd}\\r\\n\"]
[0.500000,\"m\",\"deny #2 exec rm -rf /\"]
[0.099999,\"m\",\"#3 has a terminal of its own\"]
[0.000000,\"r\",\"132x43\"]
[61.900000,\"o\",\"\u{fffd}\"]
";
    assert_eq!(exported(dir.path(), Format::AsciicastV3, None).unwrap(), three);
}

#[test]
fn another_terminal_of_the_session_is_played_by_its_operation() {
    let dir = tempfile::tempdir().unwrap();
    shell(dir.path());
    let cast = exported(dir.path(), Format::Asciicast, Some(3)).unwrap();
    assert!(cast.starts_with("{\"version\":2,\"width\":9,\"height\":9,"), "{cast}");
    assert!(cast.contains("of another") && !cast.contains("caf"), "{cast}");
    let none = exported(dir.path(), Format::Asciicast, Some(2));
    assert_eq!(none, Err("operation 2 of this session has no terminal to play".into()));
    assert!(exported(dir.path(), Format::Jsonl, Some(3)).is_err_and(|why| why.contains("`asciicast`")));
}

#[test]
fn session_without_a_terminal_is_not_played() {
    let dir = tempfile::tempdir().unwrap();
    let reads = effects(&json!([]));
    recorded(dir.path(), "postgres", &[(1, asked(1, "Query", b"select 1", &reads))]);
    for format in [Format::Asciicast, Format::AsciicastV3] {
        let why = "this session has no terminal to play; take `jsonl` or `ocsf`";
        assert_eq!(exported(dir.path(), format, None), Err(why.into()), "{}", format.word());
    }
}

#[test]
fn json_lines_have_every_event_as_it_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), "postgres", &[(1_500_000, decided(7, "deny")), (1_500_001, Event::Recovered { torn: 3 })]);
    let lines = exported(dir.path(), Format::Jsonl, None).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines[0].starts_with("{\"seq\":1,\"at\":\"2026-11-23T02:59:00.000000Z\",\"event\":{\"opened\":"));
    let events = [
        r#"{"seq":2,"at":"2026-11-23T02:59:01.500000Z","event":{"decision":{"op":7,"decision":"deny","policies":["p"],"reason":"why","revision":"r1"}}}"#,
        r#"{"seq":3,"at":"2026-11-23T02:59:01.500001Z","event":{"recovered":{"torn":3}}}"#,
    ];
    assert_eq!(lines[1..], events);
}

#[test]
fn statement_is_datastore_activity() {
    let dir = tempfile::tempdir().unwrap();
    let effects = effects(&json!([
        { "action": "sql:select", "resource": { "kind": "Table", "path": ["shop", "public", "orders"] } },
        { "action": "sql:delete", "resource": { "kind": "Table", "path": ["shop", "public", "orders"] } },
    ]));
    recorded(
        dir.path(),
        "postgres",
        &[
            (1_000_000, asked(1, "Query", b"DELETE FROM orders", &effects)),
            (1_000_001, decided(1, "deny")),
            (1_004_000, ended(1, Status::Refused, "denied by policy `p`")),
        ],
    );
    let written = exported(dir.path(), Format::Ocsf, None).unwrap();
    insta::assert_snapshot!(pretty(&written));
}

#[test]
fn anything_else_is_api_activity_and_what_did_not_end_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let runs = effects(&json!([{ "action": "ssh:exec", "resource": { "kind": "Login", "path": ["root"] } }]));
    recorded(
        dir.path(),
        "ssh",
        &[
            (1_000_000, asked(1, "exec", b"printf '\xff'", &runs)),
            (1_000_001, decided(1, "ask-first")),
            (1_000_002, Event::Asked { op: 1, ask: "7m2k".into() }),
            (9_000_000, Event::Answered { op: 1, verdict: "approved".into(), detail: "dana: yes".into() }),
        ],
    );
    insta::assert_snapshot!(pretty(&exported(dir.path(), Format::Ocsf, None).unwrap()));
}

#[test]
fn what_could_not_be_found_out_is_what_its_session_is_about() {
    let dir = tempfile::tempdir().unwrap();
    let (connects, none) =
        (json!([{ "action": "sql:connect", "resource": { "kind": "Target", "path": [] } }]), json!([]));
    let (connects, none) = (effects(&connects), effects(&none));
    let events = [
        (1, asked(1, "connect", b"", &connects)),
        (2, ended(1, Status::Completed, "")),
        (3, asked(2, "Query", b"???", &none)),
        (4, ended(2, Status::Refused, "")),
    ];
    recorded(dir.path(), "postgres", &events);
    let written = exported(dir.path(), Format::Ocsf, None).unwrap();
    let kinds: Vec<_> = written
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|object| (object["type_uid"].as_u64(), object["activity_name"].to_string()))
        .collect();
    assert_eq!(kinds, [(Some(600_503), "\"Connect\"".to_owned()), (Some(600_599), "\"Unknown\"".to_owned())]);
}

/// The same with indentation, for a reader of snapshots.
fn pretty(lines: &str) -> String {
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let objects = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let shown: Vec<_> = objects.map(|object| serde_json::to_string_pretty(&object).unwrap()).collect();
    shown.join("\n").replace(&version, "\"version\": \"[of this build]\"")
}

#[test]
fn each_operation_is_one_object_whatever_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let none = effects(&json!([]));
    let mut events: Vec<_> = (1..=2_000).map(|op| (op, asked(op, "Query", b"select 1", &none))).collect();
    events.extend((1..=2_000).rev().map(|op| (5_000 + op, ended(op, Status::Completed, "SELECT 1"))));
    recorded(dir.path(), "postgres", &events);
    let written = exported(dir.path(), Format::Ocsf, None).unwrap();
    let uid = |line: &str| serde_json::from_str::<Value>(line).unwrap()["metadata"]["uid"].to_string();
    let mut uids: Vec<_> = written.lines().map(uid).collect();
    assert_eq!(uids.len(), 2_000);
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), 2_000);
}

#[test]
fn recording_is_written_out_in_pieces_and_damage_ends_it_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let long = vec![b'x'; 100_000];
    let none = effects(&json!([]));
    let events: Vec<_> = (1..=20).map(|op| (op, asked(op, "Query", &long, &none))).collect();
    recorded(dir.path(), "postgres", &events);
    let path = path_of(dir.path(), 1);
    let pieces: Vec<_> =
        Export::begin(read::open(&path).unwrap(), Format::Jsonl, None).unwrap().map(Result::unwrap).collect();
    assert!(pieces.len() >= 20 && pieces.iter().all(|piece| piece.len() < 300_000), "{}", pieces.len());

    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let mut export = Export::begin(read::open(&path).unwrap(), Format::Jsonl, None).unwrap();
    assert!(export.by_ref().any(|piece| piece.is_err()));
    assert!(export.next().is_none());
}

/// The events of a cast: seconds times a million, code, and data.
fn cast(text: &str) -> Vec<(u64, String, String)> {
    let event = |line: &str| {
        let (seconds, code, data): (f64, String, String) = serde_json::from_str(line).unwrap();
        assert!(seconds >= 0.0, "{line}");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
        ((seconds * 1e6).round() as u64, code, data)
    };
    text.lines().skip(1).map(event).collect()
}

proptest! {
    // Each writes and seals a recording.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_a_terminal_shows_is_played_whole_and_in_order(
        shows in prop::collection::vec((1_u64..4, 0_u64..90_000_000, prop::collection::vec(any::<u8>(), 0..9)), 0..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut events = vec![(0, Event::Resize { op: 1, columns: 80, rows: 24 })];
        events.extend(shows.iter().map(|(op, after, data)| (*after, shown(*op, Stream::Output, data))));
        recorded(dir.path(), "ssh", &events);
        let two = cast(&exported(dir.path(), Format::Asciicast, None).unwrap());
        let three = cast(&exported(dir.path(), Format::AsciicastV3, None).unwrap());
        let bytes: Vec<u8> = shows.iter().filter(|(op, ..)| *op == 1).flat_map(|(.., data)| data.clone()).collect();
        let played: String = two.iter().map(|(.., data)| data.as_str()).collect();
        prop_assert_eq!(played, String::from_utf8_lossy(&bytes));
        let mut at = 0;
        for ((time, ..), (since, ..)) in two.iter().zip(&three) {
            at += since;
            prop_assert_eq!(*time, at);
        }
        prop_assert_eq!(two.len(), three.len());
    }
}
