//! Attempts to get something past the gate, or to have it recorded as something else, against a real
//! PostgreSQL: where the gate's view of a conversation and the target's could come apart.

use portcullis_testkit::fakes::Failing;
use portcullis_testkit::servers::Version;
use tokio::io::AsyncWriteExt;

use crate::arena::{Arena, close, query};
use crate::scripted_client::{Client, bind, execute, extended, frame, parse, sync};
use crate::stage::{Stage, within};

/// Runs attacks, each in a session of its own. What the last step of each does must be among its
/// recorded effects.
async fn check(arena: &Arena, attacks: &[(Vec<Vec<u8>>, &str)]) {
    let mut unseen = Vec::new();
    for (number, (steps, truth)) in attacks.iter().enumerate() {
        let mut client = arena.client().await;
        let (effects, said) = arena.run(&mut client, steps).await;
        if !effects.contains(truth) {
            unseen.push(format!("attack {number}: {effects}\n{}", String::from_utf8_lossy(&said)));
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

fn simple(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| query(text)).collect()
}

/// Every attack leaves the session with `secret` as its search path.
fn ways_to_move_the_path() -> Vec<Vec<Vec<u8>>> {
    let read = "SELECT a FROM t";
    let mut ways: Vec<Vec<Vec<u8>>> = [
        &["SET search_path = secret", read][..],
        &["SET search_path = secret; SELECT a FROM t"],
        &["BEGIN; SET LOCAL search_path = secret; SELECT a FROM t; COMMIT"],
        &["SET search_path = secret", "BEGIN; SET search_path = public; ROLLBACK", read],
        &["SET search_path = secret", "BEGIN", "SET search_path = public", "ROLLBACK", read],
        &["SET search_path = secret", "BEGIN", "SET search_path = public", "ROLLBACK; SELECT a FROM t"],
        &["BEGIN", "SET search_path = secret", "SAVEPOINT s", "SET search_path = public", "ROLLBACK TO s", read],
        &["PREPARE p AS SELECT set_config('search_path', 'secret', false)", "EXECUTE p", read],
        &["PREPARE p AS SELECT set_config('search_path', 'secret', false)", "EXECUTE p; SELECT a FROM t"],
        &["PREPARE p AS SELECT $1::text", "EXECUTE p(set_config('search_path', 'secret', false))", read],
        &["PREPARE p AS SELECT $1::text", "EXPLAIN EXECUTE p(set_config('search_path', 'secret', false))", read],
        &["SELECT set_config('search_path', 'secret', false), set_config('a.b', 'c', false)", read],
        &["DO $$ BEGIN SET search_path = secret; END $$", read],
        &["DO $$ BEGIN SET search_path = secret; END $$; SELECT a FROM t"],
        &["UPDATE pg_settings SET setting = 'secret' WHERE name = 'search_path'", read],
        &["PREPARE p AS SELECT a FROM t", "SET search_path = secret", "EXECUTE p"],
        &["PREPARE p AS SELECT a FROM t", "SET search_path = secret; EXECUTE p"],
    ]
    .into_iter()
    .map(simple)
    .collect();
    let set = |path: &str| [parse("", &format!("SET search_path = {path}")), bind("", ""), execute("")].concat();
    // In one implicit transaction.
    ways.push(vec![[set("secret"), extended(read)].concat()]);
    // Bound under one path, run under another.
    ways.push(vec![
        [parse("r", read), sync()].concat(),
        query("BEGIN"),
        query("SET search_path = secret"),
        [bind("p", "r"), sync()].concat(),
        query("SET search_path = public"),
        [execute("p"), sync()].concat(),
    ]);
    ways.push(vec![
        query("SET search_path = secret"),
        [set("public"), parse("", "no sql"), sync()].concat(),
        query(read),
    ]);
    ways
}

#[tokio::test]
async fn a_name_is_judged_where_the_target_finds_it() {
    for version in Version::ALL {
        let arena = Arena::open(version);
        let attacks: Vec<_> = ways_to_move_the_path().into_iter().map(|steps| (steps, r#""secret","t""#)).collect();
        check(&arena, &attacks).await;
    }
}

#[tokio::test]
async fn what_is_made_is_judged_where_the_target_makes_it() {
    let arena = Arena::open(Version::V15);
    let at = |schema: &str, name: &str| {
        format!(r#"{{"action":"sql:create","resource":{{"kind":"Table","path":["shop","{schema}","{name}"]}}}}"#)
    };
    for (texts, truth) in [
        (&["CREATE TABLE fresh (a int)"][..], at("public", "fresh")),
        // Another schema on the path holds one of that name.
        (&["SET search_path = mine, public", "CREATE TABLE t (a int)"], at("mine", "t")),
        (&["CREATE TEMP TABLE t (a int)"], at("pg_temp", "t")),
        (&["BEGIN", "SET LOCAL search_path = secret", "CREATE TABLE x (a int)"], at("secret", "x")),
        (&["CREATE TABLE one (a int); INSERT INTO one VALUES (1)"], r#"{"action":"sql:insert","resource":{"kind":"Table","path":["shop","public","one"]},"facts":{"columns":["*"]}}"#.to_owned()),
        (&["CREATE TEMP TABLE two (a int); INSERT INTO two VALUES (1)"], r#"{"action":"sql:insert","resource":{"kind":"Table","path":["shop","pg_temp","two"]},"facts":{"columns":["*"]}}"#.to_owned()),
    ] {
        let mut client = arena.client().await;
        let (effects, _) = arena.run(&mut client, &simple(texts)).await;
        // Written anew, so that both sides have their keys in the same order.
        let truth: serde_json::Value = serde_json::from_str(&truth).unwrap();
        assert!(effects.contains(&truth.to_string()), "{texts:?}: {effects}");
    }
}

#[tokio::test]
async fn what_runs_under_a_stored_name_is_what_is_judged() {
    let arena = Arena::open(Version::V15);
    let delete = "DELETE FROM target WHERE a = 1";
    let prepare = format!("PREPARE p AS {delete}");
    let long = |last: char| format!("{}{last}", "n".repeat(63));
    let (one, other) = (long('1'), long('2'));
    let truth = "sql:delete";
    let attacks = [
        (simple(&[&prepare, "EXECUTE p"]), truth),
        // Cursors and statements have names of their own.
        (simple(&[&prepare, "BEGIN; DECLARE p CURSOR FOR SELECT 1", "EXECUTE p"]), truth),
        (simple(&["PREPARE p AS SELECT 1", &format!("DEALLOCATE p; {prepare}; EXECUTE p")]), truth),
        // What Close and Parse do to names of SQL.
        (
            vec![
                query("PREPARE p AS SELECT 1"),
                [close(b'S', "p"), parse("p", delete), sync()].concat(),
                query("EXECUTE p"),
            ],
            r#""opaque":true"#,
        ),
        (
            vec![
                [parse("p", "SELECT 1"), sync()].concat(),
                query("DEALLOCATE p"),
                query(&prepare),
                [bind("", "p"), execute(""), sync()].concat(),
            ],
            truth,
        ),
        // A naming that fails behind one that did not.
        (
            vec![
                [parse("s", delete), sync()].concat(),
                [parse("s", "SELECT 1"), sync(), bind("", "s"), execute(""), sync()].concat(),
            ],
            truth,
        ),
        (
            vec![
                [parse("s", delete), sync(), parse("s", "SELECT 1"), sync(), bind("", "s"), execute(""), sync()]
                    .concat(),
            ],
            truth,
        ),
        // The target looks at 63 bytes of a name.
        (
            vec![
                [parse(&one, "SELECT 1"), sync()].concat(),
                [close(b'S', &other), parse(&other, delete), sync()].concat(),
                [bind("", &one), execute(""), sync()].concat(),
            ],
            truth,
        ),
        // Arguments do what they do, whatever is run with them.
        (simple(&["PREPARE p AS SELECT $1::text", "EXECUTE p(pg_sleep(0)::text)"]), "pg_sleep"),
        (simple(&["PREPARE p AS SELECT 1 AS a", "CREATE TABLE made AS EXECUTE p"]), "sql:create"),
        (simple(&["PREPARE p AS SELECT 1 AS a", &format!("EXPLAIN ANALYZE EXECUTE p; {delete}")]), truth),
    ];
    check(&arena, &attacks).await;
}

#[tokio::test]
async fn a_function_is_seen_in_whatever_form_it_is_called() {
    let arena = Arena::open(Version::V15);
    let truth = "pg_sleep";
    let attacks: Vec<_> = [
        "SELECT pg_sleep(0)",
        "SELECT (0).pg_sleep",
        "SELECT ((SELECT 0)).pg_sleep",
        "SELECT c.pg_sleep FROM generate_series(0, 0) c",
        "SELECT 1 ORDER BY pg_sleep(0)::text",
        "TABLE t LIMIT length(pg_sleep(0)::text)",
        "VALUES (pg_sleep(0))",
        "COPY (SELECT pg_sleep(0)) TO STDOUT",
        "SELECT count(*) FILTER (WHERE pg_sleep(0)::text = '') FROM t",
        "MERGE INTO target USING t ON pg_sleep(0)::text = '' WHEN MATCHED THEN DO NOTHING",
        "UPDATE target SET a = length(pg_sleep(0)::text) WHERE a = 1",
        "ALTER TABLE target ALTER a TYPE int USING length(pg_sleep(0)::text)",
        "CREATE TABLE again AS SELECT pg_sleep(0)::text AS a",
        "DECLARE c CURSOR WITH HOLD FOR SELECT pg_sleep(0)",
        "EXPLAIN ANALYZE SELECT pg_sleep(0)",
    ]
    .into_iter()
    .map(|text| (simple(&[text]), truth))
    .collect();
    check(&arena, &attacks).await;
}

#[tokio::test]
async fn no_statement_makes_the_target_read_strings_in_another_way() {
    let arena = Arena::open(Version::V15);
    for texts in [
        &["SELECT set_config('a.b', 'x', false), set_config('standard_conforming_strings', 'off', false)"][..],
        &["PREPARE p AS SELECT set_config('standard_conforming_strings', 'off', false)", "EXECUTE p"],
        &["BEGIN; DECLARE c CURSOR FOR SELECT set_config('standard_conforming_strings', 'off', false)", "FETCH c"],
        &["CREATE TEMP TABLE c AS SELECT set_config('standard_conforming_strings', 'off', false)"],
        &["SELECT set_config('client_encoding', 'SJIS', false), set_config('a.b', 'x', false)"],
    ] {
        let mut client = arena.client().await;
        arena.run(&mut client, &simple(texts)).await;
        let (_, said) = arena.run(&mut client, &simple(&["ROLLBACK", "SELECT '<' || current_setting('standard_conforming_strings') || current_setting('client_encoding')"])).await;
        assert!(said.windows(7).any(|window| window == b"<onUTF8"), "{texts:?}: {}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test]
async fn a_cancel_request_is_let_go_once_the_target_has_it_and_not_before() {
    let stage = Stage::new();
    let client = stage.client().await;
    let request = |key: &[u8]| {
        [&u32::try_from(8 + key.len()).unwrap().to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), key].concat()
    };
    let (mut stream, served) = stage.connect();
    stream.write_all(&request(&client.key)).await.unwrap();
    within(served).await.unwrap().unwrap();
    assert!(stage.target_received(&request(&[0, 0, 0, 7, 1, 2, 3, 4])));
}

#[tokio::test]
async fn a_cancel_request_that_cannot_be_recorded_does_not_reach_the_target() {
    let stage = Stage::new();
    let client = stage.client().await;
    let dials = stage.gate.connector.dials();
    stage.gate.recorder.fail(Failing::Commit);
    let (mut stream, served) = stage.connect();
    let length = u32::try_from(8 + client.key.len()).unwrap();
    stream.write_all(&[&length.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &client.key].concat()).await.unwrap();
    within(served).await.unwrap().unwrap();
    assert_eq!(stage.gate.connector.dials(), dials);
}

#[tokio::test]
async fn many_sessions_that_ask_for_the_same_name_open_few_connections_for_it() {
    let stage = Stage::new();
    let mut clients = Vec::new();
    for _ in 0..30 {
        clients.push(stage.client().await);
    }
    for client in &mut clients {
        client.send(&query("SELECT name FROM people")).await;
    }
    for client in &mut clients {
        assert_eq!(within(client.until_ready()).await.error, None);
    }
    assert!(stage.gate.connector.dials() <= 34, "{}", stage.gate.connector.dials());
}

#[tokio::test]
async fn a_text_of_very_many_statements_is_dealt_with_at_once() {
    let stage = Stage::new();
    let mut client = stage.client().await;
    let many = |count: u32, one: fn(u32) -> String| query(&(0..count).map(one).collect::<String>());
    for text in [many(2_000_000, |_| "SELECT;".into()), many(30_000, |n| format!("TABLE t{n};"))] {
        let begun = std::time::Instant::now();
        client.send(&text).await;
        within(client.until_ready()).await;
        // A debug build; the bound is on growing with the square of the length.
        assert!(begun.elapsed() < std::time::Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing_behind() {
    let arena = Arena::open(Version::V15);
    for left in [
        query("COPY target FROM STDIN"),
        [query("COPY target FROM STDIN"), frame(b'd', b"1\n")].concat(),
        [parse("", "COPY target FROM STDIN"), bind("", ""), execute(""), sync()].concat(),
        [parse("", "SELECT 1"), bind("", ""), execute("")].concat(),
        query("BEGIN"),
        b"Q\0\0\0\xffSELECT".to_vec(),
        [frame(b'B', b"\0\0\0\0\0\x01\0\0\0\xff")[..8].to_vec()].concat(),
        [parse("", "SELECT $1::text"), vec![b'B', 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xf0, b'x']].concat(),
    ] {
        let (ours, served) = arena.stage.connect();
        let mut client = within(Client::log_in(ours, portcullis_testkit::fakes::TOKEN)).await.unwrap();
        client.send(&left).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        drop(client);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(5), served).await;
        assert!(ended.is_ok(), "{} holds on", String::from_utf8_lossy(&left));
    }
}
