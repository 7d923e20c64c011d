//! Statements that wait for humans on the open connection, in front of a real PostgreSQL: what
//! approvers are shown, what the client hears meanwhile, and every way in which the wait ends.

use std::time::Duration;

use portcullis_core::approval::Verdict;
use portcullis_testkit::fakes::Shown;
use portcullis_testkit::servers::Version;
use tokio::io::AsyncWriteExt;

use crate::arena::{Arena, query};
use crate::scripted_client::{Client, Reply, bind, execute, extended, frame, parse, sync};
use crate::stage::within;

fn arena() -> Arena {
    let arena = Arena::open(Version::V18);
    arena
        .postgres
        .sql_as_app("CREATE TABLE held (id int8 PRIMARY KEY); INSERT INTO held SELECT generate_series(1, 9)")
        .unwrap();
    arena.stage.gate.policy.ask("sql:delete");
    arena
}

fn yes() -> Verdict {
    Verdict::Approved(vec!["dana".into()])
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok(), "{what}");
}

impl Arena {
    /// Waits for ask number `number`, from 1.
    async fn asked(&self, number: usize) -> Shown {
        let asked = || self.stage.gate.approvals.asked();
        until("nobody was asked", || asked().len() >= number).await;
        asked()[number - 1].clone()
    }

    fn left(&self) -> String {
        self.postgres.sql_as_app("SELECT count(*) FROM held").unwrap().trim().to_owned()
    }

    async fn cancel(&self, client: &Client) {
        let (mut stream, served) = self.stage.connect();
        let length = u32::try_from(8 + client.key.len()).unwrap();
        let request = [&length.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &client.key].concat();
        stream.write_all(&request).await.unwrap();
        within(served).await.unwrap().unwrap();
    }
}

async fn ask(client: &mut Client, text: &str) -> Reply {
    client.send(&query(text)).await;
    within(client.until_ready()).await
}

/// The transaction's status in the last message of a reply.
fn status(reply: &Reply) -> char {
    char::from(*reply.bytes.last().unwrap())
}

#[tokio::test]
async fn client_is_told_at_once_where_it_can_be_approved_and_then_it_is_done() {
    let arena = arena();
    let mut client = arena.client().await;
    client.send(&query("DELETE FROM held WHERE id = 1")).await;
    let notice = within(client.one()).await.unwrap();
    let notice = String::from_utf8_lossy(&notice);
    assert!(notice.starts_with('N') && notice.contains("https://gate.example.com/asks/ask-1"), "{notice}");
    assert_eq!(arena.left(), "9");
    assert_eq!(arena.asked(1).await.statement, b"DELETE FROM held WHERE id = 1");
    arena.stage.gate.approvals.answer(yes());
    let reply = within(client.until_ready()).await;
    assert_eq!((reply.tags.as_slice(), reply.error.as_deref()), (&b"CZ"[..], None));
    assert_eq!(arena.left(), "8");
}

#[tokio::test]
async fn denied_and_expired_are_errors_after_which_the_session_goes_on() {
    let arena = arena();
    let mut client = arena.client().await;
    for (verdict, words) in [
        (Verdict::Denied("not during the sale".into()), "not during the sale"),
        (Verdict::Expired, "approval-expired"),
        (Verdict::Lost("it is down".into()), "approval-unavailable"),
    ] {
        arena.stage.gate.approvals.answer(verdict);
        let told = ask(&mut client, "DELETE FROM held").await.error.unwrap();
        assert!(told.contains("42501") && told.contains(words), "{told}");
        assert_eq!(ask(&mut client, "SELECT 1").await.error, None);
    }
    assert_eq!(arena.left(), "9");
    let verdicts: Vec<_> =
        arena.stage.gate.recorder.of("answered").iter().map(|said| said["verdict"].clone()).collect();
    assert_eq!(verdicts, ["denied", "expired", "lost"]);
}

#[tokio::test]
async fn cancel_withdraws_the_ask_and_fails_the_transaction_as_postgresql_would() {
    let arena = arena();
    let mut client = arena.client().await;
    assert_eq!(status(&ask(&mut client, "BEGIN").await), 'T');
    client.send(&query("DELETE FROM held")).await;
    arena.asked(1).await;
    arena.cancel(&client).await;
    let reply = within(client.until_ready()).await;
    let told = reply.error.clone().unwrap();
    assert!(told.contains("57014") && told.contains("canceling statement due to user request"), "{told}");
    assert_eq!(status(&reply), 'E');
    assert_eq!(arena.stage.gate.approvals.withdrawn(), 1);
    assert_eq!(status(&ask(&mut client, "ROLLBACK").await), 'I');
    // The request did not go on to the target, where it might have met the next statement.
    assert_eq!(ask(&mut client, "SELECT pg_sleep(0.2)").await.error, None);
    assert_eq!(arena.left(), "9");
}

#[tokio::test]
async fn approvers_see_the_values_and_parsing_asks_nobody() {
    let arena = arena();
    let mut client = arena.client().await;
    client.send(&[parse("s", "DELETE FROM held WHERE id = $1 OR id = $2"), sync()].concat()).await;
    assert_eq!(within(client.until_ready()).await.tags, b"1Z");
    assert!(arena.stage.gate.approvals.asked().is_empty(), "somebody was asked about a Parse");
    for (number, id) in [(1, 3_u8), (2, 4)] {
        arena.stage.gate.approvals.wait();
        // The first value as text, the second in binary.
        let values =
            [b"\0s\0\0\x02\0\0\0\x01\0\x02\0\0\0\x01", &[b'0' + id][..], b"\0\0\0\x08\0\0\0\0\0\0\0\x07\0\0"].concat();
        client.send(&[frame(b'B', &values), execute(""), sync()].concat()).await;
        let shown = arena.asked(number).await;
        assert_eq!(shown.values, format!("$1 = '{id}'\n$2 = 0x0000000000000007 (binary, type 0)\n"));
        arena.stage.gate.approvals.answer(yes());
        assert_eq!(within(client.until_ready()).await.tags, b"N2CZ");
    }
    let asked = arena.stage.gate.approvals.asked();
    assert_ne!(asked[0].fingerprint, asked[1].fingerprint, "an approval is not bound to the values");
    assert_eq!(arena.left(), "6");
}

#[tokio::test]
async fn statement_that_comes_to_need_an_approval_after_bind_is_bound_again() {
    let arena = arena();
    arena.stage.gate.policy.allow_all();
    let mut client = arena.client().await;
    let bound = frame(b'B', b"\0s\0\0\0\0\x01\0\0\0\x013\0\0");
    client.send(&[parse("s", "DELETE FROM held WHERE id = $1"), sync()].concat()).await;
    within(client.until_ready()).await;
    arena.stage.gate.policy.ask("sql:delete");
    arena.stage.gate.approvals.answer(yes());
    client.send(&[bound.clone(), execute(""), sync()].concat()).await;
    assert!(within(client.until_ready()).await.error.unwrap().contains("bind the values again"));
    client.send(&[bound, execute(""), sync()].concat()).await;
    assert_eq!(within(client.until_ready()).await.error, None);
    assert_eq!(arena.left(), "8");
}

#[tokio::test]
async fn values_too_large_to_be_shown_are_refused_and_the_session_goes_on() {
    let arena = arena();
    let mut client = arena.client().await;
    let large = vec![b'1'; 2 << 20];
    let body = [b"\0\0\0\0\0\x01", &u32::try_from(large.len()).unwrap().to_be_bytes()[..], &large, b"\0\0"].concat();
    let held = [parse("", "DELETE FROM held WHERE id::text = $1"), frame(b'B', &body), execute(""), sync()].concat();
    client.send(&held).await;
    assert!(within(client.until_ready()).await.error.unwrap().contains("too large to be shown"));
    assert_eq!(ask(&mut client, "SELECT 1").await.error, None);
}

#[tokio::test]
async fn pipeline_keeps_its_order_around_a_held_statement() {
    let arena = arena();
    let mut client = arena.client().await;
    client
        .send(&[extended("SELECT 1"), extended("DELETE FROM held WHERE id < 4"), extended("SELECT 2")].concat())
        .await;
    assert_eq!(within(client.until_ready()).await.tags, b"12DCZ");
    arena.asked(1).await;
    arena.stage.gate.approvals.answer(yes());
    assert_eq!(within(client.until_ready()).await.tags, b"N12CZ");
    assert_eq!(within(client.until_ready()).await.tags, b"12DCZ");
    assert_eq!(arena.left(), "6");
}

#[tokio::test]
async fn portal_that_stopped_at_its_row_limit_goes_on_under_its_approval() {
    let arena = arena();
    let mut client = arena.client().await;
    arena.stage.gate.approvals.answer(yes());
    let some = |rows: i32| frame(b'E', &[b"\0", &rows.to_be_bytes()[..]].concat());
    let messages = [parse("", "DELETE FROM held RETURNING id"), bind("", ""), some(4), some(4), some(0), sync()];
    client.send(&messages.concat()).await;
    let reply = within(client.until_ready()).await;
    assert_eq!(String::from_utf8(reply.tags).unwrap(), "N12DDDDsDDDDsDCZ", "{:?}", reply.error);
    assert_eq!(arena.stage.gate.approvals.asked().len(), 1);
    let reasons =
        arena.stage.gate.recorder.of("decision").iter().map(|said| said["reason"].to_string()).collect::<Vec<_>>();
    assert!(reasons.iter().any(|reason| reason.contains("goes on with operation")), "{reasons:?}");
}

#[tokio::test]
async fn pipeline_that_fails_before_the_held_statement_withdraws_it() {
    let arena = arena();
    let mut client = arena.client().await;
    // Nine rows to the power of seven take a while to be counted, and then it fails.
    let slow = "SELECT 1 / (count(*) - 4782969) FROM held, held b, held c, held d, held e, held f, held g";
    let failing = [parse("", slow), bind("", ""), execute("")].concat();
    client.send(&[failing, extended("DELETE FROM held")].concat()).await;
    arena.asked(1).await;
    let reply = within(client.until_ready()).await;
    assert!(reply.error.unwrap().contains("division by zero"));
    until("the ask was not withdrawn", || arena.stage.gate.approvals.withdrawn() == 1).await;
    assert_eq!(ask(&mut client, "SELECT 1").await.error, None);
    assert_eq!(arena.left(), "9");
}

#[tokio::test]
async fn client_that_goes_away_withdraws_whatever_it_has_sent_behind() {
    let arena = arena();
    for behind in [0, 100_000] {
        let mut client = arena.client().await;
        let before = arena.stage.gate.approvals.withdrawn();
        let padding = format!("SELECT '{}'", "x".repeat(behind));
        client.send(&[query("DELETE FROM held"), query(&padding)].concat()).await;
        until("nobody was asked", || arena.stage.gate.approvals.asked().len() > before).await;
        drop(client);
        until("the ask was not withdrawn", || arena.stage.gate.approvals.withdrawn() == before + 1).await;
    }
    assert_eq!(arena.left(), "9");
}

#[tokio::test]
async fn names_that_mean_something_else_after_the_wait_need_another_ask() {
    let arena = arena();
    arena.postgres.sql_as_app("CREATE TABLE public.twice (a int); INSERT INTO public.twice VALUES (1)").unwrap();
    let mut client = arena.client().await;
    ask(&mut client, "SET search_path = mine, public").await;
    client.send(&query("DELETE FROM twice")).await;
    arena.asked(1).await;
    arena.postgres.sql_as_app("CREATE TABLE mine.twice (a int); INSERT INTO mine.twice VALUES (1)").unwrap();
    arena.stage.gate.approvals.answer(yes());
    let told = within(client.until_ready()).await.error.unwrap();
    assert!(told.contains("what its names stand for changed while it waited"), "{told}");
    assert_eq!(arena.postgres.sql_as_app("SELECT count(*) FROM mine.twice").unwrap().trim(), "1");
}

#[tokio::test]
async fn approval_does_not_outlive_the_policy_that_asked_for_it() {
    let arena = arena();
    let mut client = arena.client().await;
    client.send(&query("DELETE FROM held")).await;
    arena.asked(1).await;
    arena.stage.gate.policy.deny("sql:delete");
    arena.stage.gate.approvals.answer(yes());
    assert!(within(client.until_ready()).await.error.unwrap().contains("policy-denied"));
    assert_eq!(arena.left(), "9");
}

#[tokio::test]
async fn target_that_ends_an_idle_transaction_ends_the_wait() {
    let arena = arena();
    let mut client = arena.client().await;
    ask(&mut client, "SET idle_in_transaction_session_timeout = '3s'").await;
    ask(&mut client, "BEGIN").await;
    client.send(&query("DELETE FROM held")).await;
    // However busy the machine is, the ask comes before the end.
    arena.asked(1).await;
    let reply = within(client.until_closed()).await;
    assert!(reply.error.unwrap().contains("25P03"), "the target's own words are not relayed");
    until("the ask was not withdrawn", || arena.stage.gate.approvals.withdrawn() == 1).await;
}

#[tokio::test]
async fn revoked_session_is_told_so_while_it_waits() {
    let arena = arena();
    let mut client = arena.client().await;
    client.send(&query("DELETE FROM held")).await;
    arena.asked(1).await;
    arena.stage.gate.sessions.revoke(&portcullis_core::sessions::Revocation::Token("token-1".into()));
    let reply = within(client.until_closed()).await;
    assert!(reply.error.unwrap().contains("57P01"));
    until("the ask was not withdrawn", || arena.stage.gate.approvals.withdrawn() == 1).await;
    assert_eq!(arena.left(), "9");
}

#[tokio::test]
async fn approver_is_shown_what_the_target_estimates_of_a_write() {
    let arena = arena();
    arena.postgres.sql_as_app("CREATE TABLE many AS SELECT i FROM generate_series(1, 1000) i; ANALYZE many").unwrap();
    let code = "CREATE FUNCTION code(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'";
    arena.postgres.sql_as_app(code).unwrap();
    arena.stage.gate.approvals.answer(Verdict::Denied("not now".into()));
    let mut client = arena.client().await;
    // The lookup of names leaves a connection for the estimate.
    let extended = [parse("", "DELETE FROM many WHERE i = $1"), bind_one("", b"7"), execute(""), sync()].concat();
    for (messages, rows) in [
        (query("DELETE FROM many WHERE i <= 500"), Some(490..510)),
        (query("DELETE FROM many;"), Some(1000..1001)),
        (extended, Some(1..2)),
        // What code of somebody's own would be run for is not estimated, and several statements are not.
        (query("DELETE FROM many WHERE code(i)"), None),
        (query("DELETE FROM many; DELETE FROM many"), None),
        (query("DELETE FROM nowhere"), None),
    ] {
        let before = arena.stage.gate.approvals.estimates().len();
        client.send(&messages).await;
        let reply = within(client.until_ready()).await;
        assert!(reply.error.unwrap().contains("not now"));
        let estimates = arena.stage.gate.approvals.estimates();
        let shown = String::from_utf8_lossy(&messages).into_owned();
        match rows {
            Some(rows) => {
                assert!(estimates.len() == before + 1 && rows.contains(&estimates[before]), "{shown} {estimates:?}");
            }
            None => assert_eq!(estimates.len(), before, "{shown}"),
        }
    }
    assert_eq!(arena.postgres.sql_as_app("SELECT count(*) FROM many").unwrap().trim(), "1000");
}

/// A Bind of one value as text.
fn bind_one(statement: &str, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    let body = [b"\0", statement.as_bytes(), b"\0\0\0\0\x01", &length, value, b"\0\0"].concat();
    frame(b'B', &body)
}
