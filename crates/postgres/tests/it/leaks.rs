//! What a client from whom a column is hidden cannot get out of it, whatever it asks: every query of
//! `leaks.txt` in text and in binary, simple and extended, described and not, in front of a real
//! PostgreSQL. And what it gets all the same: every query of `clean.txt`, byte for byte.
#![expect(clippy::panic, reason = "a test that cannot go on says so by ending")]

use std::time::Duration;

use portcullis_core::approval::Verdict;
use portcullis_core::masking::{Detector, Rules, Settings, Style, Tag};
use portcullis_testkit::servers::Version;

use crate::arena::{Arena, query, readies};
use crate::scripted_client::{Client, Reply, bind, execute, frame, parse, sync};

/// Each hidden column holds one of the marks below.
const SCHEMA: &str = include_str!("leaks/schema.sql");
const LEAKS: &str = include_str!("leaks/leaks.txt");
const CLEAN: &str = include_str!("leaks/clean.txt");

fn rules() -> Rules {
    let hidden = |column: &str| (format!("public.vault.{column}"), Tag::new("secret"));
    let columns = [
        "email", "phone", "fixed", "short", "doc", "docb", "list", "born", "seen", "amount", "big", "small", "raw",
        "ident", "addr", "markup", "pair", "mood", "span", "truth", "real8", "point_at", "bits", "dom",
    ];
    let styles = [(Tag::new("secret"), Style::Redact)].into();
    Rules::new(&Settings { columns: columns.map(hidden).into(), styles, ..Settings::default() }).unwrap()
}

fn arena(rules: Rules) -> Arena {
    let arena = Arena::masking(Version::V18, rules);
    arena.postgres.sql_as_app(SCHEMA).unwrap();
    arena
}

/// The statements of a list; lines that begin with `--` are for people.
fn statements(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with("--"))
}

/// What would show that a hidden value came through.
fn marks() -> Vec<Vec<u8>> {
    let mut marks: Vec<Vec<u8>> =
        ["leakme", "emkael", "LEAKME", "bGVha21l", "6c65616b6d65", "Leakme", "eakme", "leakm"]
            .map(|mark| mark.as_bytes().to_vec())
            .into();
    marks.extend(
        ["733177331", "7331.77331", "1977-03-31", "1977", "203.0.113.77", "77317731-7731"]
            .map(|mark| mark.as_bytes().to_vec()),
    );
    marks.push(733_177_331_i32.to_be_bytes().to_vec());
    marks.push(7_331_773_317_733_177_i64.to_be_bytes().to_vec());
    marks.push(7_331.773_31_f64.to_be_bytes().to_vec());
    marks.push(vec![0x77, 0x31, 0x77, 0x31, 0x77, 0x31]);
    marks.push((-8_312_i32).to_be_bytes().to_vec());
    marks.push(vec![203, 0, 113, 77]);
    marks
}

/// The mark that is in some bytes.
fn leaked(bytes: &[u8]) -> Option<String> {
    let found = marks().into_iter().find(|mark| bytes.windows(mark.len()).any(|window| window == mark));
    found.map(|mark| String::from_utf8_lossy(&mark).into_owned())
}

/// A Bind that wants all columns in this format.
fn bind_as(format: u8) -> Vec<u8> {
    frame(b'B', &[0, 0, 0, 0, 0, 0, 0, 1, 0, format])
}

fn describe_portal() -> Vec<u8> {
    frame(b'D', b"P\0")
}

/// The ways in which a statement can be asked.
fn ways(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let whole = |parts: &[Vec<u8>]| parts.concat();
    vec![
        ("simple", query(text)),
        ("extended, text, described", whole(&[parse("", text), bind_as(0), describe_portal(), execute(""), sync()])),
        ("extended, binary, described", whole(&[parse("", text), bind_as(1), describe_portal(), execute(""), sync()])),
        ("extended, text", whole(&[parse("", text), bind("", ""), execute(""), sync()])),
        ("extended, binary", whole(&[parse("", text), bind_as(1), execute(""), sync()])),
    ]
}

async fn ask(client: &mut Client, messages: &[u8]) -> Vec<u8> {
    client.send(messages).await;
    let mut said = Vec::new();
    for _ in 0..readies(messages) {
        let heard = tokio::time::timeout(Duration::from_secs(10), client.until_ready()).await;
        let Ok(Reply { bytes, closed, error, .. }) = heard else {
            panic!("no answer to {}", String::from_utf8_lossy(messages));
        };
        assert!(!closed, "the session ended: {error:?}");
        said.extend(bytes);
    }
    said
}

/// Whether the target gave what it was asked for.
fn failed(said: &[u8]) -> bool {
    let mut rest = said;
    while let [tag, a, b, c, d, ..] = *rest {
        if tag == b'E' {
            return true;
        }
        rest = &rest[1 + u32::from_be_bytes([a, b, c, d]) as usize..];
    }
    false
}

/// Whether the gate did not let a statement store hidden values elsewhere.
fn refused(said: &[u8]) -> bool {
    String::from_utf8_lossy(said).contains("hidden from you")
}

/// Runs statements in every way. Says what is wrong, how many there were, and which were refused.
async fn run(arena: &Arena, list: impl Iterator<Item = &'static str>) -> (Vec<String>, usize, Vec<&'static str>) {
    let (mut count, mut wrong, mut turned_away) = (0, Vec::new(), Vec::new());
    for text in list {
        count += 1;
        // Some statements leave cursors, settings and prepared statements behind.
        let mut client = arena.client().await;
        for (way, messages) in ways(text) {
            // One text cannot be several statements in the extended protocol.
            if way != "simple" && text.trim_end_matches(';').contains(';') {
                continue;
            }
            let said = ask(&mut client, &messages).await;
            let shown = String::from_utf8_lossy(&said).replace('\0', " ");
            if let Some(mark) = leaked(&said) {
                wrong.push(format!("leaks `{mark}`, {way}: {text}\n    {shown}"));
            }
            if way == "simple" && refused(&said) {
                turned_away.push(text);
            }
            // What fails shows nothing, unless failing is what it is for.
            if failed(&said) && !refused(&said) && !text.starts_with("/* fails */") && !way.contains("binary") {
                wrong.push(format!("fails, {way}: {text}\n    {shown}"));
            }
            if failed(&said) {
                ask(&mut client, &query("ROLLBACK")).await;
            }
        }
    }
    (wrong, count, turned_away)
}

#[tokio::test]
async fn no_query_carries_a_hidden_value_out_in_any_format() {
    let arena = arena(rules());
    let (wrong, count, turned_away) = run(&arena, statements(LEAKS)).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 120, "only {count} queries");
    for outcome in arena.stage.gate.recorder.of("outcome") {
        assert_eq!(leaked(outcome["message"].to_string().as_bytes()), None, "{outcome}");
    }
    let masked =
        arena.stage.gate.recorder.of("outcome").iter().filter(|outcome| outcome["masked"]["secret"].is_u64()).count();
    assert!(masked > 100, "only {masked} outcomes say what was masked");

    // What is not let pass alone is masked as well once humans have approved it.
    for action in ["sql:select", "sql:insert", "sql:update", "sql:create"] {
        arena.stage.gate.policy.ask(action);
    }
    arena.stage.gate.approvals.answer(Verdict::Approved(vec!["dana".into()]));
    let before = turned_away.len();
    let (wrong, _, turned_away) = run(&arena, turned_away.into_iter()).await;
    assert!(wrong.is_empty() && before > 5, "{before}: {}", wrong.join("\n"));
    assert!(turned_away.is_empty(), "{turned_away:?}");
}

/// The list is worth something: where nothing is hidden, nearly every query on it brings a value out.
#[tokio::test]
async fn queries_of_the_list_carry_values_where_nothing_is_hidden() {
    let arena = arena(Rules::none());
    let (mut count, mut harmless) = (0, Vec::new());
    for text in statements(LEAKS) {
        count += 1;
        let mut client = arena.client().await;
        let mut leaks = leaked(&ask(&mut client, &query(text)).await).is_some();
        ask(&mut client, &query("ROLLBACK")).await;
        if !text.trim_end_matches(';').contains(';') {
            leaks |= leaked(&ask(&mut client, &ways(text)[2].1).await).is_some();
        }
        if !leaks {
            harmless.push(text);
        }
    }
    assert!(harmless.len() * 10 < count, "{} of {count} bring nothing out:\n{}", harmless.len(), harmless.join("\n"));
}

#[tokio::test]
async fn clean_queries_over_the_same_tables_are_as_without_masking() {
    let (masked, open) = (arena(rules()), arena(Rules::none()));
    let mut count = 0;
    for text in statements(CLEAN) {
        count += 1;
        let (mut one, mut other) = (masked.client().await, open.client().await);
        for (way, messages) in ways(text) {
            if way != "simple" && text.trim_end_matches(';').contains(';') {
                continue;
            }
            let (here, there) = (ask(&mut one, &messages).await, ask(&mut other, &messages).await);
            let shown = |said: &[u8]| String::from_utf8_lossy(said).into_owned();
            assert_eq!(shown(&here), shown(&there), "{way}: {text}");
            assert!(!failed(&here), "{way}: {text}\n{}", shown(&here));
        }
    }
    assert!(count >= 40, "only {count} queries");
}

#[tokio::test]
async fn notification_that_comes_unasked_is_masked() {
    let detected = Settings { detect: [Detector::Email].into(), ..Settings::default() };
    for rules in [rules(), Rules::new(&detected).unwrap()] {
        let arena = arena(rules);
        let mut client = arena.client().await;
        ask(&mut client, &query("LISTEN told")).await;
        arena.postgres.sql_as_app("NOTIFY told, 'leakme@example.com'").unwrap();
        let told = tokio::time::timeout(Duration::from_secs(10), client.one()).await.unwrap().unwrap();
        assert_eq!((told[0], leaked(&told)), (b'A', None), "{}", String::from_utf8_lossy(&told));
    }
}

#[tokio::test]
async fn values_are_found_by_what_they_look_like_in_every_place() {
    let settings = Settings { detect: [Detector::Email].into(), ..Settings::default() };
    let arena = arena(Rules::new(&settings).unwrap());
    for text in [
        "SELECT 'write to ada@example.com soon'",
        "SELECT ARRAY['ada@example.com', 'x']",
        "SELECT ROW('ada@example.com', 1)",
        "SELECT json_build_object('to', 'ada@example.com')",
        "SELECT jsonb_build_object('to', ARRAY['ada@example.com'])",
        "SELECT ARRAY[ROW(1, 'ada@example.com')]",
        "SELECT xmlelement(name a, 'ada@example.com')",
        "DO $$ BEGIN RAISE NOTICE 'ada@example.com'; END $$",
        "/* fails */ SELECT 'ada@example.com'::int",
    ] {
        let mut client = arena.client().await;
        for (way, messages) in ways(text) {
            let said = ask(&mut client, &messages).await;
            let found = String::from_utf8_lossy(&said).contains("ada@example.com");
            assert!(!found, "{way}: {text}\n{}", String::from_utf8_lossy(&said));
        }
    }
}
