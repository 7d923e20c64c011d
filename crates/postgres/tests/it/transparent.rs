//! What a real PostgreSQL answers is what a client hears through the gate: the same exchanges are
//! had with the target itself and through the gate, message by message as real clients send them.

use std::path::PathBuf;
use std::time::Duration;

use portcullis_core::stream::BoxStream;
use portcullis_testkit::fakes::TOKEN;
use portcullis_testkit::servers::{Postgres, Version};
use tokio::net::UnixStream;

use crate::arena::{Arena, close, query, readies};
use crate::scripted_client::{Client, bind, execute, frame, parse, sync};
use crate::stage::within;

/// How long the target is silent before it has said all that it will.
const SILENCE: Duration = Duration::from_millis(100);

/// How long an answer may take that is sure to come.
const PATIENCE: Duration = Duration::from_secs(3);

fn flush() -> Vec<u8> {
    frame(b'H', b"")
}

fn describe(which: u8, name: &str) -> Vec<u8> {
    frame(b'D', &[&[which], name.as_bytes(), b"\0"].concat())
}

fn execute_some(portal: &str, rows: u8) -> Vec<u8> {
    frame(b'E', &[portal.as_bytes(), &[0, 0, 0, 0, rows]].concat())
}

/// A Bind with one parameter as text.
fn bind_one(portal: &str, statement: &str, value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    let head = format!("{portal}\0{statement}\0\0\0\0\x01");
    frame(b'B', &[head.as_bytes(), &length, value.as_bytes(), &[0, 0]].concat())
}

fn data(text: &str) -> Vec<u8> {
    frame(b'd', text.as_bytes())
}

fn done() -> Vec<u8> {
    frame(b'c', b"")
}

/// Parse, Bind and Execute without a Sync.
fn run(text: &str) -> Vec<u8> {
    [parse("", text), bind("", ""), execute("")].concat()
}

/// What each exchange sends, step by step; the answers of one are awaited before the next.
#[expect(clippy::too_many_lines, reason = "a table")]
fn exchanges() -> Vec<(&'static str, Vec<Vec<Vec<u8>>>)> {
    let copy = || query("COPY loaded FROM STDIN");
    let copy_extended = || run("COPY loaded FROM STDIN");
    vec![
        (
            "asyncpg prepares, then runs",
            vec![
                vec![
                    parse("s1", "SELECT g, 'x' FROM generate_series(1, 5) g WHERE g > $1"),
                    describe(b'S', "s1"),
                    flush(),
                ],
                vec![bind_one("", "s1", "2"), execute(""), sync()],
                vec![bind_one("", "s1", "3"), execute_some("", 1), sync()],
                vec![close(b'S', "s1"), sync()],
                vec![bind_one("", "s1", "2"), execute(""), sync()],
            ],
        ),
        (
            "pgjdbc fetches by and by",
            vec![
                vec![
                    run("BEGIN"),
                    parse("S_1", "SELECT generate_series(1, 5)"),
                    bind("C_1", "S_1"),
                    describe(b'P', "C_1"),
                    execute_some("C_1", 2),
                    sync(),
                ],
                vec![execute_some("C_1", 2), sync()],
                vec![close(b'P', "C_1"), sync()],
                vec![execute_some("C_1", 2), sync()],
                vec![run("ROLLBACK"), sync()],
            ],
        ),
        (
            "pgjdbc saves points",
            vec![
                vec![run("BEGIN"), run("SAVEPOINT PGJDBC_AUTOSAVE"), run("SELECT 1/0"), sync()],
                vec![run("ROLLBACK TO SAVEPOINT PGJDBC_AUTOSAVE"), sync()],
                vec![run("SELECT 1"), sync()],
                vec![run("COMMIT"), sync()],
            ],
        ),
        (
            "a batch with an error in it",
            vec![
                vec![
                    run("INSERT INTO loaded VALUES (1, 'a')"),
                    run("INSERT INTO loaded VALUES (1/0, 'a')"),
                    run("SELECT 1"),
                    sync(),
                    run("SELECT 2"),
                    sync(),
                ],
                vec![run("SELECT count(*) FROM loaded"), sync()],
            ],
        ),
        (
            "psycopg pipelines, with Sync and with Flush",
            vec![
                vec![
                    run("SELECT 1"),
                    sync(),
                    run("SET application_name = 'x'"),
                    run("SELECT current_setting('application_name')"),
                    sync(),
                ],
                vec![run("SELECT 3"), flush()],
                vec![run("CREATE TEMP TABLE tt (a int)"), run("INSERT INTO tt VALUES (1)"), flush()],
                vec![sync(), run("SELECT * FROM tt"), sync()],
            ],
        ),
        (
            "simple and extended mixed",
            vec![
                vec![run("SELECT 1"), query("SELECT 2"), sync()],
                vec![run("SELECT no_such"), query("SELECT 2"), sync()],
                vec![query("SELECT 1"), query("SELECT no_such"), query("SELECT 3; SELECT 4")],
                vec![query("BEGIN; SELECT 1; SELECT 1/0; SELECT 2"), query("SELECT 1"), query("ROLLBACK")],
            ],
        ),
        (
            "nothing at all",
            vec![
                vec![query(""), query(";"), query("-- only a comment")],
                vec![parse("", ""), describe(b'S', ""), bind("", ""), describe(b'P', ""), execute(""), sync()],
                vec![sync(), sync(), flush(), sync()],
                vec![close(b'S', ""), close(b'P', ""), close(b'S', "nowhere"), sync()],
            ],
        ),
        (
            "names that are nobody's",
            vec![
                vec![describe(b'S', "nowhere"), sync()],
                vec![describe(b'P', "nowhere"), sync()],
                vec![bind("", "nowhere"), execute(""), sync()],
                vec![execute(""), sync()],
                vec![parse("twice", "SELECT 1"), parse("twice", "SELECT 2"), sync()],
                vec![bind("", "twice"), execute(""), sync()],
                vec![parse("", "SELECT $1::int"), bind("", ""), sync()],
            ],
        ),
        (
            "psql describes by a second query",
            vec![
                vec![parse("", "SELECT 1 AS a"), describe(b'S', ""), sync()],
                vec![query("SELECT name FROM (VALUES ('a', 23)) s(name, tp)")],
            ],
        ),
        (
            "psql fetches by count",
            vec![
                vec![query("BEGIN")],
                vec![query("DECLARE _psql_cursor NO SCROLL CURSOR FOR SELECT generate_series(1, 5)")],
                vec![query("FETCH FORWARD 2 FROM _psql_cursor")],
                vec![query("FETCH FORWARD 20 FROM _psql_cursor")],
                vec![query("CLOSE _psql_cursor"), query("COMMIT")],
            ],
        ),
        (
            "cursors and portals share names",
            vec![
                vec![query("BEGIN"), query("DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 5)")],
                vec![describe(b'P', "c"), execute_some("c", 2), sync()],
                vec![query("COMMIT"), query("FETCH c")],
                vec![execute_some("c", 1), sync()],
                vec![query("CLOSE c"), query("FETCH c")],
            ],
        ),
        (
            "statements of SQL and of the protocol share names",
            vec![
                vec![
                    query("PREPARE p (int) AS SELECT $1 + 1"),
                    bind_one("", "p", "1"),
                    describe(b'P', ""),
                    execute(""),
                    sync(),
                ],
                vec![query("EXECUTE p(2)"), query("DEALLOCATE p"), query("EXECUTE p(2)")],
                vec![parse("q", "SELECT 7"), sync(), query("EXECUTE q"), query("DEALLOCATE ALL")],
                vec![bind("", "q"), execute(""), sync()],
            ],
        ),
        (
            "COPY in, both ways",
            vec![
                vec![copy()],
                vec![data("1\ta\n2\t"), data("b\n"), done()],
                vec![copy(), data("3\tc\n"), done(), query("SELECT count(*) FROM loaded")],
                vec![copy_extended(), sync()],
                vec![data("4\td\n"), done(), sync()],
                vec![copy_extended(), flush()],
                vec![data("5\te\n"), flush(), sync(), done(), sync()],
                vec![run("SELECT count(*) FROM loaded"), sync()],
            ],
        ),
        (
            "COPY in that fails",
            vec![
                vec![copy(), data("no number\n")],
                vec![data("1\ta\n"), data("1\tb\n"), done(), query("SELECT 1")],
                vec![copy(), frame(b'f', b"changed my mind\0"), query("SELECT 1")],
                vec![copy_extended(), sync()],
                vec![data("no number\n"), data("1\ta\n"), done(), sync()],
                vec![copy_extended(), sync()],
                vec![frame(b'f', b"changed my mind\0"), sync()],
                vec![run("COPY nowhere FROM STDIN"), sync()],
                vec![query("COPY nowhere FROM STDIN"), data("stray\n"), done(), query("SELECT 2")],
                vec![copy(), data("no number\n"), data("1\ta\n"), done()],
            ],
        ),
        (
            "two COPYs in one text",
            vec![
                vec![query("COPY loaded FROM STDIN; SELECT 1; COPY loaded FROM STDIN; SELECT 2")],
                vec![data("1\ta\n"), done()],
                vec![data("2\tb\n"), done()],
                vec![
                    query("COPY loaded FROM STDIN; COPY loaded FROM STDIN"),
                    data("1\ta\n"),
                    done(),
                    data("1\ta\n"),
                    done(),
                ],
            ],
        ),
        (
            "COPY out, both ways",
            vec![
                vec![query("COPY (SELECT generate_series(1, 3)) TO STDOUT"), query("SELECT 1")],
                vec![run("COPY (SELECT generate_series(1, 3)) TO STDOUT (FORMAT binary)"), run("SELECT 1"), sync()],
                vec![run("COPY (SELECT 1 / (3 - g) FROM generate_series(1, 5) g) TO STDOUT"), run("SELECT 1"), sync()],
            ],
        ),
        (
            "notices, notifications and settings",
            vec![
                vec![query("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")],
                vec![query("SET client_min_messages = debug1"), query("SET TIME ZONE 'UTC'"), query("RESET ALL")],
                vec![query("SET datestyle = 'german'"), run("SET datestyle = 'iso'"), sync()],
                vec![query("BEGIN; SET LOCAL datestyle = 'german'; ROLLBACK"), query("SHOW datestyle")],
            ],
        ),
        (
            "an error where the Sync is",
            vec![
                vec![query("CREATE TEMP TABLE late (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")],
                vec![run("INSERT INTO late VALUES (1), (1)"), sync()],
                vec![run("SELECT count(*) FROM late"), sync()],
                vec![query("INSERT INTO late VALUES (1), (1)")],
            ],
        ),
        (
            "a code block commits",
            vec![
                vec![query(
                    "DO $$ BEGIN INSERT INTO loaded VALUES (9, 'z'); COMMIT; INSERT INTO loaded VALUES (1/0, ''); END $$",
                )],
                vec![query("SELECT count(*) FROM loaded WHERE a = 9")],
            ],
        ),
        (
            "DISCARD ALL",
            vec![
                vec![parse("gone", "SELECT 1"), sync(), query("DISCARD ALL")],
                vec![bind("", "gone"), execute(""), sync()],
            ],
        ),
        (
            "portals of an open transaction",
            vec![
                vec![
                    query("BEGIN"),
                    parse("", "SELECT generate_series(1, 4)"),
                    bind("a", ""),
                    bind("b", ""),
                    execute_some("a", 1),
                    execute_some("b", 2),
                    sync(),
                ],
                vec![execute_some("a", 1), execute("b"), close(b'P', "a"), execute("b"), sync()],
                vec![query("COMMIT"), execute("b"), sync()],
            ],
        ),
        (
            "long messages",
            vec![
                vec![query(&format!("SELECT length('{}')", "x".repeat(300_000)))],
                vec![parse("", "SELECT length($1)"), bind_one("", "", &"y".repeat(700_000)), execute(""), sync()],
                vec![query("SELECT repeat('z', 400000)"), query("SELECT 1")],
            ],
        ),
        (
            "the target ends the session",
            vec![vec![query("SELECT 1; SELECT pg_terminate_backend(pg_backend_pid()); SELECT 2")]],
        ),
        (
            "the target ends an idle transaction",
            vec![vec![query("SET idle_in_transaction_session_timeout = 10")], vec![query("BEGIN")]],
        ),
        (
            "the target ends a pipeline",
            vec![vec![run("SELECT 1"), run("SELECT pg_terminate_backend(pg_backend_pid())"), run("SELECT 2"), sync()]],
        ),
    ]
}

/// Messages with errors and notices reduced to what clients act on: the gate does not say in which
/// file of PostgreSQL an error of its own was found.
fn told(mut bytes: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    while let [tag, a, b, c, d, ..] = *bytes {
        let (message, rest) = bytes.split_at(1 + u32::from_be_bytes([a, b, c, d]) as usize);
        bytes = rest;
        let body = String::from_utf8_lossy(&message[5..]).into_owned();
        let body = match tag {
            b'E' | b'N' => {
                body.split('\0').filter(|field| field.starts_with(['S', 'V', 'C', 'M'])).collect::<Vec<_>>().join(" ")
            }
            _ => body,
        };
        let mut line = format!("{} {body}", char::from(tag));
        line.truncate(200);
        said.push(line);
    }
    said
}

/// The answers to each step, up to silence or the end, or to as many messages as are expected.
async fn have(client: &mut Client, steps: &[Vec<Vec<u8>>], expected: Option<&[Vec<String>]>) -> Vec<Vec<String>> {
    let mut answers = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        client.send(&step.concat()).await;
        let mut bytes = Vec::new();
        let awaited = expected.and_then(|expected| expected.get(number)).map(Vec::len);
        loop {
            let said = told(&bytes);
            let more = match awaited {
                Some(awaited) => said.len() < awaited,
                // A target in COPY does not hear Sync.
                None => {
                    count(&said, "Z") < readies(&step.concat())
                        && !said.last().is_some_and(|last| last.starts_with('G'))
                }
            };
            match tokio::time::timeout(if more { PATIENCE } else { SILENCE }, client.one()).await {
                Ok(Some(message)) => bytes.extend(message),
                Ok(None) | Err(_) => break,
            }
        }
        answers.push(told(&bytes));
    }
    answers
}

fn count(said: &[String], tag: &str) -> usize {
    said.iter().filter(|message| message.starts_with(tag)).count()
}

async fn direct(postgres: &Postgres) -> Client {
    let socket: PathBuf = postgres.socket_folder().join(format!(".s.PGSQL.{}", postgres.port()));
    let stream: BoxStream = Box::new(UnixStream::connect(socket).await.unwrap());
    let parameters = [("user", Postgres::USER), ("database", Postgres::DATABASE)];
    within(Client::log_in_with(stream, TOKEN, &parameters)).await.unwrap()
}

async fn check(version: Version) {
    let arena = Arena::open(version);
    let fresh =
        || arena.postgres.sql_as_app("DROP TABLE IF EXISTS loaded; CREATE TABLE loaded (a int, b text)").unwrap();
    let mut different = Vec::new();
    for (name, steps) in exchanges() {
        fresh();
        let expected = have(&mut direct(&arena.postgres).await, &steps, None).await;
        fresh();
        let heard = have(&mut arena.client().await, &steps, Some(&expected)).await;
        for (number, (expected, heard)) in expected.iter().zip(&heard).enumerate() {
            if expected != heard {
                different.push(format!("{name}, step {number}:\n  direct {expected:#?}\n  gate {heard:#?}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_15_says_the_same_through_the_gate() {
    check(Version::V15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_18_says_the_same_through_the_gate() {
    check(Version::V18).await;
}
