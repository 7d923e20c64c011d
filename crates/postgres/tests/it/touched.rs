//! What statements touch of hidden columns without returning it: conditions are told to policy, and
//! nobody stores a value elsewhere that is hidden from them. In front of a real PostgreSQL.

use portcullis_core::approval::Verdict;
use portcullis_core::masking::{Rules, Settings, Tag};
use portcullis_testkit::servers::Version;

use crate::arena::{Arena, query};
use crate::scripted_client::{Client, Reply, bind, execute, parse, sync};
use crate::stage::within;

const SCHEMA: &str = "
CREATE TABLE people (id int PRIMARY KEY, email text, card text, town text);
INSERT INTO people VALUES (1, 'ada@example.com', '4111', 'Rome'), (2, 'bob@example.com', '5500', 'Oslo');
CREATE TABLE archive (id int, email text, note text);
CREATE TABLE notes (id int, body text);
CREATE FUNCTION reads() RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM public.people LIMIT 1';
CREATE VIEW seen AS SELECT id, email AS contact, town FROM people;";

fn arena() -> Arena {
    let column = |name: &str, tag: &str| (name.to_owned(), Tag::new(tag));
    let columns = vec![column("public.*.email", "email"), column("public.people.card", "card")];
    let arena = Arena::masking(Version::V18, Rules::new(&Settings { columns, ..Settings::default() }).unwrap());
    arena.postgres.sql_as_app(SCHEMA).unwrap();
    arena
}

impl Arena {
    /// A fact of the last operation, as tags with commas.
    fn fact(&self, name: &str) -> String {
        let operation = self.stage.gate.recorder.of("operation").pop().unwrap();
        let all = operation["effects"].as_array().unwrap().iter();
        let mut tags: Vec<String> = all
            .flat_map(|effect| effect["facts"][name].as_array().cloned().unwrap_or_default())
            .map(|tag| tag.as_str().unwrap().to_owned())
            .collect();
        tags.sort_unstable();
        tags.dedup();
        tags.join(",")
    }

    fn notes(&self) -> String {
        self.postgres.sql_as_app("SELECT count(*) FROM notes").unwrap().trim().to_owned()
    }
}

async fn ask(client: &mut Client, text: &str) -> Reply {
    client.send(&query(text)).await;
    within(client.until_ready()).await
}

#[tokio::test]
async fn conditions_on_tagged_columns_are_facts() {
    let arena = arena();
    let mut client = arena.client().await;
    for (text, probes) in [
        ("SELECT town FROM people WHERE email LIKE 'a%'", "email"),
        ("SELECT p.town FROM people p JOIN archive a ON a.email = p.card", "card,email"),
        ("SELECT town FROM people ORDER BY card", "card"),
        ("SELECT count(*) FROM people GROUP BY card HAVING max(email) > 'b'", "card,email"),
        ("SELECT town FROM seen WHERE contact = 'x'", "email"),
        ("UPDATE people SET town = 'x' WHERE card = '1'", "card"),
        ("DELETE FROM notes USING people WHERE notes.body = people.card", "card"),
        ("PREPARE p AS SELECT town FROM people WHERE card = $1", "card"),
        ("DEALLOCATE p", ""),
        ("SELECT email FROM people WHERE id = 1", ""),
        ("SELECT count(*) FROM people", ""),
        ("INSERT INTO notes VALUES (1, 'x')", ""),
        ("BEGIN", ""),
        ("SHOW search_path", ""),
        ("COMMIT", ""),
        ("CREATE TABLE fresh (id int)", ""),
        ("ANALYZE notes", ""),
    ] {
        let reply = ask(&mut client, text).await;
        assert_eq!((reply.error, arena.fact("probes")), (None, probes.to_owned()), "{text}");
        assert_eq!(arena.fact("carries"), "", "{text}");
    }
}

#[tokio::test]
async fn hidden_values_are_not_stored_where_nothing_hides_them() {
    let arena = arena();
    let mut client = arena.client().await;
    for text in [
        "INSERT INTO notes SELECT id, email FROM people",
        "INSERT INTO notes SELECT id, upper(card) FROM people",
        "INSERT INTO notes SELECT id, contact FROM seen",
        "WITH p AS (SELECT * FROM people) INSERT INTO notes SELECT id, card FROM p",
        "CREATE TABLE copied AS SELECT id, card FROM people",
        "SELECT id, email AS other INTO copied FROM people",
        "CREATE TEMP TABLE copied AS SELECT id, card FROM people",
        "CREATE MATERIALIZED VIEW copied AS SELECT card || '' AS c FROM people",
        "UPDATE people SET town = email",
        "UPDATE notes SET body = p.card FROM people p",
        "UPDATE archive SET email = p.card, note = p.email FROM people p",
        "INSERT INTO notes VALUES (1, (SELECT email FROM people LIMIT 1))",
        "MERGE INTO notes n USING people p ON n.id = p.id WHEN NOT MATCHED THEN INSERT VALUES (p.id, p.card)",
        "WITH w AS (INSERT INTO notes SELECT id, email FROM people RETURNING id) SELECT * FROM w",
        "EXPLAIN ANALYZE INSERT INTO notes SELECT id, email FROM people",
        "PREPARE w AS INSERT INTO notes SELECT id, email FROM people",
        "SELECT set_config('app.stolen', email, false) FROM people",
        "SELECT 1; INSERT INTO notes SELECT id, email FROM people",
        "ALTER TABLE people RENAME COLUMN email TO contact",
        "ALTER TABLE people RENAME TO persons",
        "ALTER TABLE people SET SCHEMA mine",
    ] {
        let reply = ask(&mut client, text).await;
        let error = reply.error.unwrap_or_else(|| panic!("{text} is done"));
        assert!(error.contains("hidden from you"), "{text}: {error}");
        assert!(!arena.fact("carries").is_empty(), "{text}");
        let decision = arena.stage.gate.recorder.of("decision").pop().unwrap();
        assert_eq!(decision["decision"], "deny", "{text}");
    }
    let extended =
        [parse("", "INSERT INTO notes SELECT id, email FROM people WHERE id = $1"), bind("", ""), execute(""), sync()];
    client.send(&extended.concat()).await;
    let reply = within(client.until_ready()).await;
    assert!(reply.error.unwrap().contains("hidden from you"));
    assert_eq!(arena.notes(), "0");
}

#[tokio::test]
async fn values_may_be_stored_where_the_same_rules_hide_them() {
    let arena = arena();
    let mut client = arena.client().await;
    for text in [
        "INSERT INTO archive (id, email) SELECT id, email FROM people",
        "INSERT INTO archive (id, email) SELECT id, contact FROM seen",
        "UPDATE people SET email = lower(email)",
        "CREATE TABLE public.kept AS SELECT id, email FROM people",
        "CREATE TABLE kept_too AS SELECT id, email FROM people",
        "UPDATE people SET town = 'x' WHERE email = 'ada@example.com'",
        "INSERT INTO notes SELECT id, town FROM people",
        "INSERT INTO notes VALUES (3, 'mine')",
        "ALTER TABLE archive RENAME TO archived",
        "ALTER TABLE people RENAME COLUMN town TO city",
    ] {
        let reply = ask(&mut client, text).await;
        assert_eq!((reply.error, arena.fact("carries")), (None, String::new()), "{text}");
    }
    let read = ask(&mut client, "SELECT email FROM kept").await;
    assert!(!String::from_utf8_lossy(&read.bytes).contains("ada@"));
}

#[tokio::test]
async fn who_may_see_a_value_may_store_it() {
    let arena = arena();
    arena.stage.gate.policy.allow_all();
    let mut client = arena.client().await;
    let reply = ask(&mut client, "INSERT INTO notes SELECT id, email FROM people").await;
    assert_eq!((reply.error, arena.fact("carries"), arena.notes()), (None, "email".to_owned(), "2".to_owned()));
}

#[tokio::test]
async fn unproven_writes_are_told_to_policy() {
    let arena = arena();
    let mut client = arena.client().await;
    let reply = ask(&mut client, "INSERT INTO notes SELECT 1, reads()").await;
    assert_eq!((reply.error, arena.fact("carries")), (None, "card,email".to_owned()));
}

#[tokio::test]
async fn approver_is_told_what_a_write_carries_and_may_allow_it() {
    let arena = arena();
    arena.stage.gate.policy.ask("sql:insert");
    let mut client = arena.client().await;
    client.send(&query("INSERT INTO notes SELECT id, card FROM people")).await;
    assert_eq!(within(client.one()).await.unwrap()[0], b'N');
    assert_eq!(arena.fact("carries"), "card");
    arena.stage.gate.approvals.answer(Verdict::Approved(vec!["dana".into()]));
    let reply = within(client.until_ready()).await;
    assert_eq!((reply.error, arena.notes()), (None, "2".to_owned()));
}
