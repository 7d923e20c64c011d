//! `portcullis sessions`, `replay` and `verify`, over recordings that the spool wrote.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_core::clock::SystemClock;
use portcullis_core::identity::{Identity, Kind};
use portcullis_core::operation::{Action, Effect, Effects, Facts, Resource};
use portcullis_core::policy::Subject;
use portcullis_core::recording::{Event, Opening, Status, Text};
use portcullis_runtime::recording::{Config, Spool, TargetRecording};

use crate::gate::Folder;

/// When everything happens, in microseconds since 1970-01-01 UTC.
const AT: u64 = 1_795_402_740_000_000;

/// A gate's folder with one recorded session, in which ann was denied a DROP.
pub(crate) fn recorded() -> (Folder, PathBuf) {
    let folder = Folder::new();
    let config = Config { dir: folder.path().join("recordings"), ..Config::default() };
    let spool = Spool::open(&config, Arc::new(SystemClock)).unwrap();
    let recording = spool
        .recorder(TargetRecording::default())
        .open(&Opening { subject: &subject(), protocol: "postgres", at: AT })
        .unwrap();
    let path = vec!["shop", "public", "orders"];
    let effect = Effect { action: Action::new("sql:ddl"), resource: Resource::new("Table", path), facts: Facts::new() };
    let effects = Effects::new(vec![effect]);
    let events = [
        Event::Operation {
            op: 1,
            kind: "Query".into(),
            statement: Text(b"DROP TABLE orders \x1b[2J".into()),
            parameters: 0,
            types: (&[][..]).into(),
            effects: std::borrow::Cow::Borrowed(effects.json()),
        },
        Event::Decision {
            op: 1,
            decision: "deny".into(),
            policies: vec![String::from("never-drop")].into(),
            reason: "schema changes go through migrations".into(),
            revision: "r1".into(),
        },
        Event::Outcome {
            op: 1,
            status: Status::Refused,
            message: "denied by policy `never-drop`".into(),
            code: "".into(),
            rows: 0,
            bytes: 0,
            micros: 0,
            masked: std::collections::BTreeMap::new(),
        },
        Event::Closed { reason: "the client left".into(), operations: 1 },
    ];
    for event in &events {
        recording.append(AT + 1_500_000, event).unwrap();
    }
    recording.commit().unwrap();
    drop(recording);
    spool.close().unwrap();
    (folder, config.dir.join("0000000001.rec"))
}

fn subject() -> Subject {
    let identity = Identity {
        issuer: "https://id.example.com".into(),
        subject: "00u1".into(),
        kind: Kind::User,
        groups: vec!["okta:vendors".into()],
        email: Some("ann@example.com".into()),
        actors: Vec::new(),
        token: None,
        authenticated: None,
        expires: SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000),
    };
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Subject::new(identity, "orders-db".into(), Vec::new(), "sql", client, "psql".into(), SystemTime::UNIX_EPOCH)
}

#[test]
fn sessions_lists_who_did_how_much() {
    let (folder, _) = recorded();
    let ran = folder.run(&["sessions"]);
    let listed =
        "gate-0000000001  2026-11-23 02:59:00  postgres  orders-db  ann@example.com  1 operations, 1 denied, 1.5 s";
    assert_eq!((ran.code, ran.out.trim_end()), (Some(0), listed), "{}", ran.err);
    let json: serde_json::Value = serde_json::from_str(&folder.run(&["sessions", "--json"]).out).unwrap();
    assert_eq!((&json["session"], &json["denied"]), (&"gate-0000000001".into(), &1.into()));
}

#[test]
fn replay_shows_the_denied_statement_with_its_reason_and_obeys_no_escape() {
    let (folder, file) = recorded();
    for session in ["gate-0000000001", "1", file.to_str().unwrap()] {
        let ran = folder.run(&["replay", session]);
        assert_eq!(ran.code, Some(0), "{session}: {}", ran.err);
        assert!(ran.out.contains("DROP TABLE orders \\u{1b}[2J"), "{}", ran.out);
        assert!(ran.out.contains("sql:ddl Table shop/public/orders"), "{}", ran.out);
        assert!(ran.out.contains("deny by `never-drop`: schema changes go through migrations"), "{}", ran.out);
        assert!(!ran.out.contains('\u{1b}'));
    }
    let events = folder.run(&["replay", "1", "--json"]).out;
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["event"].as_object().unwrap().keys().next().unwrap().clone())
        .collect();
    assert_eq!(kinds, ["opened", "operation", "decision", "outcome", "closed"]);
}

#[test]
fn replay_writes_formats_of_others_and_says_what_it_cannot() {
    let (folder, _) = recorded();
    let lines = |format: &str| {
        let ran = folder.run(&["replay", "1", "--format", format]);
        assert_eq!(ran.code, Some(0), "{format}: {}", ran.err);
        let parsed = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        ran.out.lines().map(parsed).collect::<Vec<_>>()
    };
    let events = lines("jsonl");
    assert_eq!((events.len(), &events[0]["at"]), (5, &"2026-11-23T02:59:00.000000Z".into()));
    let operations = lines("ocsf");
    assert_eq!((operations.len(), &operations[0]["class_uid"]), (1, &6005.into()));
    let cast = folder.run(&["replay", "1", "--format", "asciicast"]);
    assert_eq!((cast.code, cast.out.as_str()), (Some(2), ""));
    assert!(cast.err.contains("this session has no terminal to play; take `jsonl` or `ocsf`"), "{}", cast.err);
    let both = folder.run(&["replay", "1", "--format", "jsonl", "--json"]);
    assert_eq!(both.code, Some(2), "{}", both.err);
}

#[test]
fn a_session_that_is_not_there_is_named() {
    let ran = recorded().0.run(&["replay", "17"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("there is no session `17`"), "{}", ran.err);
}

#[test]
fn verify_passes_what_was_not_touched_and_names_a_flipped_byte() {
    let (folder, file) = recorded();
    let dir = file.parent().unwrap().to_str().unwrap().to_owned();
    let good = folder.run(&["verify", &dir]);
    assert_eq!(good.code, Some(0), "{}{}", good.out, good.err);
    assert!(good.out.contains("complete, 5 events, signed to its end"), "{}", good.out);

    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let bad = folder.run(&["verify", &dir]);
    assert_eq!(bad.code, Some(1), "{}{}", bad.out, bad.err);
    assert!(bad.out.contains("FAIL") && bad.out.contains("0000000001.rec`, bytes "), "{}", bad.out);
}

#[test]
fn verify_finds_a_recording_that_was_removed() {
    let (folder, file) = recorded();
    std::fs::remove_file(&file).unwrap();
    let ran = folder.run(&["verify", file.parent().unwrap().to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
}
