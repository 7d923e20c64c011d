//! Rows in the record: as their client got them, named and readable, and no more than there is room
//! for. In front of a real PostgreSQL.

use portcullis_core::masking::{Detector, Rules, Settings};
use portcullis_testkit::servers::Version;
use serde_json::{Value, json};

use crate::arena::{Arena, query};
use crate::scripted_client::{Client, bind, execute, frame, parse, sync};
use crate::stage::within;

const SCHEMA: &str = "
CREATE TABLE people (id int4, name text, born date, seen timestamptz, more jsonb);
INSERT INTO people VALUES (1, 'Ada', '1815-12-10', '1843-01-02 03:04:05Z', '{\"to\": \"ada@example.com\"}'), (2, NULL, NULL, NULL, NULL);";

fn arena(rules: Rules) -> Arena {
    let arena = Arena::masking(Version::V18, rules);
    arena.postgres.sql_as_app(SCHEMA).unwrap();
    arena
}

impl Arena {
    /// The columns and rows that were recorded last.
    fn table(&self) -> (Value, Value) {
        let columns = self.stage.gate.recorder.of("columns").pop().map(|event| event["columns"].clone());
        let rows = self.stage.gate.recorder.of("rows").pop().map(|event| event["rows"].clone());
        (columns.unwrap_or_default(), rows.unwrap_or_default())
    }
}

async fn ask(client: &mut Client, messages: &[u8]) -> Vec<u8> {
    client.send(messages).await;
    within(client.until_ready()).await.bytes
}

/// A Bind that wants all columns in binary.
fn bind_binary() -> Vec<u8> {
    frame(b'B', &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1])
}

const SELECT: &str = "SELECT * FROM people ORDER BY id";

#[tokio::test]
async fn rows_are_recorded_with_their_columns_in_every_way() {
    let arena = arena(Rules::none());
    let mut client = arena.client().await;
    ask(&mut client, &query("SET timezone = 'UTC'")).await;
    let (described_statement, described_portal) = (frame(b'D', b"S\0"), frame(b'D', b"P\0"));
    let binary = |describe: &[u8]| [&parse("", SELECT)[..], &bind_binary(), describe, &execute(""), &sync()].concat();
    for (way, messages) in [
        ("simple", query(SELECT)),
        ("text", [parse("", SELECT), bind("", ""), described_portal.clone(), execute(""), sync()].concat()),
        ("binary, portal described", binary(&described_portal)),
        (
            "binary, statement described",
            [&parse("", SELECT)[..], &described_statement, &bind_binary(), &execute(""), &sync()].concat(),
        ),
    ] {
        ask(&mut client, &messages).await;
        let (columns, rows) = arena.table();
        let names: Vec<_> = columns.as_array().unwrap().iter().map(|column| column["name"].clone()).collect();
        assert_eq!(names, ["id", "name", "born", "seen", "more"], "{way}");
        assert_eq!(columns[0]["kind"], "int4", "{way}");
        let ada = json!(["1", "Ada", "1815-12-10", "1843-01-02 03:04:05+00", "{\"to\": \"ada@example.com\"}"]);
        assert_eq!(rows, json!([ada, ["2", null, null, null, null]]), "{way}");
    }
    // Nothing says what these bytes are, so they stay as they came.
    ask(&mut client, &binary(b"")).await;
    assert_eq!(arena.table().1[0][1], "Ada");
}

#[tokio::test]
async fn rows_are_recorded_as_masked() {
    let settings = Settings { detect: [Detector::Email].into(), ..Settings::default() };
    let arena = arena(Rules::new(&settings).unwrap());
    let mut client = arena.client().await;
    for messages in [query(SELECT), [parse("", SELECT), bind_binary(), execute(""), sync()].concat()] {
        ask(&mut client, &messages).await;
        let (columns, rows) = arena.table();
        assert_eq!((&columns[4]["name"], &rows[0][4]), (&json!("more"), &json!("{\"to\": \"[masked]\"}")));
    }
    let all = arena.stage.gate.recorder.of("rows");
    assert!(!all.iter().any(|event| event.to_string().contains("ada@example.com")), "{all:?}");
}

#[tokio::test]
async fn rows_end_where_there_is_no_more_room_and_the_outcome_counts_them_all() {
    let arena = arena(Rules::none());
    let mut client = arena.client().await;
    let many = "SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i";
    let reply = ask(&mut client, &query(many)).await;
    assert!(reply.len() > 5_000 * 100);
    let recorded: usize =
        arena.stage.gate.recorder.of("rows").iter().map(|event| event["rows"].as_array().unwrap().len()).sum();
    assert!((100..200).contains(&recorded), "{recorded} rows");
    assert_eq!(arena.stage.gate.recorder.of("outcome").pop().unwrap()["rows"], 5_000);

    // A row that is longer than all that is recorded passes at once, whatever its size.
    let before = arena.stage.gate.recorder.of("rows").len();
    ask(&mut client, &query("SELECT repeat('x', 3000000)")).await;
    assert_eq!(arena.stage.gate.recorder.of("rows").len(), before);
    ask(&mut client, &query("SELECT 1; SELECT 'a' AS b, 2")).await;
    let columns = arena.stage.gate.recorder.of("columns");
    let names: Vec<_> = columns.iter().rev().take(2).map(|event| event["columns"][0]["name"].clone()).collect();
    assert_eq!(names, ["b", "?column?"]);
}
