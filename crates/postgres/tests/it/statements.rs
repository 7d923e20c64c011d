//! Statements and portals: decided when parsed and again when run, in order, whatever is pipelined.

use crate::scripted_client::{bind, execute, extended, frame, parse, sync};
use crate::scripted_target;
use crate::stage::{Stage, within};

#[tokio::test]
async fn a_statement_that_was_prepared_when_it_was_allowed_is_denied_when_it_runs() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    client.send(&[parse("s", "DROP TABLE people"), sync()].concat()).await;
    assert_eq!(within(client.until_ready()).await.error, None);
    stage.gate.policy.deny("sql:drop");
    client.send(&[bind("", "s"), execute(""), sync()].concat()).await;
    let reply = within(client.until_ready()).await;
    assert!(reply.error.unwrap().contains("42501"));
    assert_eq!(reply.tags, b"2EZ");
    assert_eq!(stage.outcomes(), ["completed", "refused"]);
}

#[tokio::test]
async fn after_a_denial_the_rest_of_the_pipeline_is_skipped_up_to_sync() {
    let stage = Stage::new();
    stage.gate.policy.deny("sql:drop");
    let mut client = stage.client().await;
    let denied = [parse("", "DROP TABLE people"), bind("", ""), execute("")].concat();
    let behind = [parse("", "SELECT 2"), bind("", ""), execute("")].concat();
    client.send(&[denied, behind, sync(), extended("SELECT name FROM people")].concat()).await;
    assert_eq!(within(client.until_ready()).await.tags, b"EZ");
    assert_eq!(within(client.until_ready()).await.tags, b"12DCZ");
}

#[tokio::test]
async fn a_failed_parse_does_not_change_what_a_name_stands_for() {
    let stage = Stage::new();
    stage.gate.policy.deny("sql:drop");
    let mut client = stage.client().await;
    client.send(&[parse("s", "SELECT name FROM people"), sync()].concat()).await;
    within(client.until_ready()).await;
    client.send(&[parse("s", "DROP TABLE people"), sync()].concat()).await;
    assert_eq!(within(client.until_ready()).await.tags, b"EZ");
    client.send(&[bind("", "s"), execute(""), sync()].concat()).await;
    assert_eq!(within(client.until_ready()).await.error, None);
    let statements: Vec<_> = stage.gate.recorder.of("operation").iter().map(|op| op["statement"].clone()).collect();
    assert_eq!(statements[3], "SELECT name FROM people");
}

#[tokio::test]
async fn a_bind_of_an_unknown_statement_fails_as_postgresql_says_it() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    client.send(&[bind("", "nowhere"), execute(""), sync()].concat()).await;
    let reply = within(client.until_ready()).await;
    assert!(reply.error.unwrap().contains("prepared statement \"nowhere\" does not exist"));
    assert!(!stage.target_received(b"nowhere"));
    client.send(&extended("SELECT name FROM people")).await;
    assert_eq!(within(client.until_ready()).await.error, None);
}

#[tokio::test]
async fn all_statements_of_a_text_are_judged_before_any_is_sent() {
    let stage = Stage::new();
    stage.gate.policy.deny("sql:drop");
    let mut client = stage.client().await;
    client.send(&frame(b'Q', b"SELECT name FROM people; DROP TABLE people\0")).await;
    let reply = within(client.until_ready()).await;
    assert_eq!(reply.tags, b"EZ");
    assert!(!stage.target_received(b"SELECT name FROM people"));
}

#[tokio::test]
async fn what_would_change_how_statements_are_read_is_refused_whatever_policy_says() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    for text in [
        "SET client_encoding = 'SJIS'",
        "SET NAMES 'big5'",
        "SET standard_conforming_strings = off",
        "SELECT set_config('standard_conforming_strings', 'off', false)",
        "SELECT set_config('client_encoding', 'sjis', false)",
    ] {
        client.send(&frame(b'Q', format!("{text}\0").as_bytes())).await;
        let reply = within(client.until_ready()).await;
        assert!(reply.error.is_some_and(|error| error.contains("42501")), "{text}");
        assert!(!stage.target_received(text.as_bytes()));
    }
}

#[tokio::test]
async fn an_unqualified_name_is_judged_in_the_schema_that_holds_it() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    client.send(&frame(b'Q', b"SELECT name FROM people\0")).await;
    within(client.until_ready()).await;
    let effects = &stage.gate.recorder.of("operation")[1]["effects"];
    assert_eq!(effects[0]["resource"], serde_json::json!({"kind": "Table", "path": ["shop", "public", "people"]}));
}

#[tokio::test]
async fn after_the_path_was_changed_inside_a_transaction_every_holder_is_meant() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    for text in ["SET search_path = elsewhere; SELECT 1", "SELECT name FROM people"] {
        client.send(&frame(b'Q', format!("{text}\0").as_bytes())).await;
        within(client.until_ready()).await;
    }
    let effects = &stage.gate.recorder.of("operation")[2]["effects"];
    assert_eq!(effects[0]["resource"]["path"], serde_json::json!(["shop", "public", "people"]));
}

#[tokio::test]
async fn a_value_larger_than_every_buffer_passes_whole() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    client.send(&frame(b'Q', b"SELECT huge\0")).await;
    // The client dawdles, so that every buffer on the way fills.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let reply = within(client.until_ready()).await;
    assert_eq!(reply.tags, b"TDCZ");
    assert!(reply.bytes.len() > scripted_target::HUGE);
    assert_eq!(stage.outcomes(), ["completed"]);
}
