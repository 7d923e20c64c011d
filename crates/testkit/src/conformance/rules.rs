//! The rules. Each arranges a stage, acts, and looks at what client, target and record saw.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "a rule that is broken panics: it is a test")]

use portcullis_core::approval::Verdict;
use portcullis_core::masking::Rules;
use portcullis_core::sessions::Revocation;
use portcullis_core::stream::BoxStream;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::stage::{Served, Stage, within};
use super::{Ask, Heard, ScriptedClient, Subject};
use crate::fakes::{Failing, TOKEN};

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A task that panicked has failed the rule, whatever the client saw.
async fn ended_without_panic(served: Served) {
    assert!(within(served).await.is_ok(), "serving the client panicked");
}

/// A client with a bad token is refused, and the target hears nothing of it.
pub async fn unidentified_client_causes_no_dial<S: Subject>() {
    let stage = Stage::<S>::new();
    let (stream, served) = stage.connect(true, 0);
    let told = within(S::log_in(stream, "not-a-token")).await;
    assert!(told.is_err(), "a bad token logged in");
    ended_without_panic(served).await;
    assert_eq!(stage.gate.connector.dials(), 0);
}

/// What is denied never leaves the gate, and neither does a part of it.
pub async fn none_of_a_denied_operations_bytes_reach_the_target<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.deny(S::GUARDED_ACTION);
    let (mut client, _served) = stage.client().await;
    assert!(matches!(within(client.ask(Ask::Guarded)).await, Heard::Error(_)));
    assert!(!contains(&stage.gate.connector.received(), S::GUARDED_BYTES));
}

/// A denial is an error in the protocol's own words, and the session goes on.
pub async fn denied_client_gets_a_native_error_and_may_continue<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.deny(S::GUARDED_ACTION);
    let (mut client, _served) = stage.client().await;
    let Heard::Error(told) = within(client.ask(Ask::Guarded)).await else { panic!("the denial was no error") };
    assert!(told.contains("policy-denied") && told.contains("told"), "the denial does not say which policy: {told}");
    assert!(matches!(within(client.ask(Ask::Allowed)).await, Heard::Done(_)));
}

/// What is allowed arrives at both sides as it was sent.
pub async fn allowed_round_trip_is_byte_identical<S: Subject>() {
    let stage = Stage::<S>::new();
    let (mut through, _served) = stage.client().await;
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(S::target(Box::new(theirs)));
    let mut direct = within(S::log_in(Box::new(ours), TOKEN)).await.unwrap_or_else(|told| panic!("direct: {told}"));
    for ask in [Ask::Allowed, Ask::Guarded, Ask::Allowed] {
        assert_eq!(within(through.ask(ask)).await, within(direct.ask(ask)).await);
    }
    assert!(contains(&stage.gate.connector.received(), S::GUARDED_BYTES));
}

/// The record has each operation once, decided once, ended once, and in this order.
pub async fn every_operation_has_one_decision_and_one_outcome_in_order<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.deny(S::GUARDED_ACTION);
    let (mut client, served) = stage.client().await;
    within(client.pipeline(&[Ask::Allowed, Ask::Guarded, Ask::Allowed])).await;
    drop(client);
    ended_without_panic(served).await;
    let numbers = |kind: &str| stage.gate.recorder.of(kind).iter().filter_map(number).collect::<Vec<_>>();
    let operations = numbers("operation");
    let expected: Vec<u64> = (1..=operations.len() as u64).collect();
    assert_eq!(operations, expected, "operations are not numbered in order");
    assert_eq!(numbers("decision"), expected, "not every operation has one decision");
    let mut outcomes = numbers("outcome");
    outcomes.sort_unstable();
    assert_eq!(outcomes, expected, "not every operation has one outcome");
}

fn number(event: &Value) -> Option<u64> {
    event.get("op").and_then(Value::as_u64)
}

/// Where identities cannot be verified, nobody is let in.
pub async fn failure_of_identity_refuses<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.identity.fail();
    let (stream, served) = stage.connect(true, 0);
    assert!(within(S::log_in(stream, TOKEN)).await.is_err());
    ended_without_panic(served).await;
    assert_eq!(stage.gate.connector.dials(), 0);
}

/// Polls until `is_so`; a rule that waits for what never comes has failed.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(super::stage::PATIENCE, waiting).await.is_ok(), "{what}");
}

/// What follows the first place where `wanted` is.
fn from<'a>(bytes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    bytes.windows(wanted.len()).position(|window| window == wanted).map(|at| &bytes[at..])
}

/// What waits for an approval is with the gate alone; once approved, it arrives as it was sent.
pub async fn pending_holds_then_forwards_the_same_bytes<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.ask(S::GUARDED_ACTION);
    let (mut client, _served) = stage.client().await;
    let asking = tokio::spawn(async move { client.ask(Ask::Guarded).await });
    until("nobody was asked", || !stage.gate.approvals.asked().is_empty()).await;
    assert!(contains(&stage.gate.approvals.asked()[0].statement, S::GUARDED_BYTES), "approvers see something else");
    assert!(!contains(&stage.gate.connector.received(), S::GUARDED_BYTES), "it was forwarded before it was approved");
    assert!(!asking.is_finished(), "the client was answered before the approvers had");
    stage.gate.approvals.answer(Verdict::Approved(vec!["dana".into()]));
    let heard = within(asking).await;
    assert!(matches!(heard, Ok(Heard::Done(_))), "what was approved was not done: {heard:?}");
    let held = stage.gate.connector.received();
    let unasked = Stage::<S>::new();
    let (mut client, _served) = unasked.client().await;
    within(client.ask(Ask::Guarded)).await;
    let (held, unasked) = (from(&held, S::GUARDED_BYTES), unasked.gate.connector.received());
    assert_eq!(held, from(&unasked, S::GUARDED_BYTES), "the target got other bytes than without an ask");
}

/// Where nobody answers in time, nothing is done, and the session goes on.
pub async fn approval_timeout_refuses<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.ask(S::GUARDED_ACTION);
    stage.gate.approvals.answer(Verdict::Expired);
    let (mut client, _served) = stage.client().await;
    assert!(matches!(within(client.ask(Ask::Guarded)).await, Heard::Error(_)));
    assert!(!contains(&stage.gate.connector.received(), S::GUARDED_BYTES));
    assert!(matches!(within(client.ask(Ask::Allowed)).await, Heard::Done(_)));
}

/// A client that goes away takes its ask with it.
pub async fn client_gone_withdraws_the_ask<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.ask(S::GUARDED_ACTION);
    let (mut client, served) = stage.client().await;
    let asking = tokio::spawn(async move { client.ask(Ask::Guarded).await });
    until("nobody was asked", || !stage.gate.approvals.asked().is_empty()).await;
    // The client's connection ends with the task that holds it.
    asking.abort();
    until("the ask was not withdrawn", || stage.gate.approvals.withdrawn() == 1).await;
    stage.gate.approvals.answer(Verdict::Approved(vec!["dana".into()]));
    ended_without_panic(served).await;
    assert!(!contains(&stage.gate.connector.received(), S::GUARDED_BYTES), "a withdrawn operation was done");
    let verdicts = stage.gate.recorder.of("answered");
    assert_eq!(verdicts.len(), 1, "the withdrawal is not recorded");
    assert_eq!(verdicts[0]["verdict"], "withdrawn");
}

/// Where the answer of the approvers is lost, the operation is refused.
pub async fn failure_of_approvals_refuses<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.ask(S::GUARDED_ACTION);
    stage.gate.approvals.answer(Verdict::Lost("the approvals are down".into()));
    let (mut client, _served) = stage.client().await;
    assert!(matches!(within(client.ask(Ask::Guarded)).await, Heard::Error(_)));
    assert!(!contains(&stage.gate.connector.received(), S::GUARDED_BYTES));
}

/// What is hidden from a client is in nothing that it gets, and in nothing that is recorded.
#[expect(clippy::expect_used, reason = "rules that are wrong cannot be tested")]
pub async fn masked_value_is_in_neither_reply_nor_record<S: Subject>() {
    let rules = Rules::new(&S::masking()).expect("the rules are good");
    for (rules, hidden) in [(Rules::none(), false), (rules, true)] {
        let stage = Stage::<S>::masking(rules);
        let (mut client, _served) = stage.client().await;
        let Heard::Done(reply) = within(client.ask(Ask::Allowed)).await else { panic!("nothing was answered") };
        assert_eq!(contains(&reply, S::VALUE), !hidden, "the reply: {}", String::from_utf8_lossy(&reply));
        let outcomes = stage.gate.recorder.of("outcome");
        assert!(!outcomes.iter().any(|outcome| contains(outcome.to_string().as_bytes(), S::VALUE)));
        let counted = outcomes.iter().any(|outcome| outcome["masked"]["secret"] == 1);
        assert_eq!(counted, hidden, "the record does not say what was masked: {outcomes:?}");
    }
}

/// A session that cannot be recorded does not begin.
pub async fn failure_to_open_a_recording_refuses<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.recorder.fail(Failing::Open);
    let (stream, served) = stage.connect(true, 0);
    assert!(within(S::log_in(stream, TOKEN)).await.is_err());
    ended_without_panic(served).await;
    assert_eq!(stage.gate.connector.dials(), 0);
}

async fn refuses_once_the_recorder_fails<S: Subject>(at: Failing) {
    let stage = Stage::<S>::new();
    let (mut client, served) = stage.client().await;
    stage.gate.recorder.fail(at);
    let heard = within(client.ask(Ask::Guarded)).await;
    assert!(!matches!(heard, Heard::Done(_)), "an unrecorded operation was done");
    assert!(!contains(&stage.gate.connector.received(), S::GUARDED_BYTES));
    drop(client);
    ended_without_panic(served).await;
}

/// An operation that cannot be added to the record is not done.
pub async fn failure_to_append_refuses<S: Subject>() {
    refuses_once_the_recorder_fails::<S>(Failing::Append).await;
}

/// An operation whose record cannot be made durable is not done.
pub async fn failure_to_commit_refuses<S: Subject>() {
    refuses_once_the_recorder_fails::<S>(Failing::Commit).await;
}

/// Policy is read for each operation, in sessions that are open already, too.
pub async fn reload_applies_to_the_next_operation<S: Subject>() {
    let stage = Stage::<S>::new();
    let (mut client, _served) = stage.client().await;
    assert!(matches!(within(client.ask(Ask::Guarded)).await, Heard::Done(_)));
    stage.gate.policy.deny(S::GUARDED_ACTION);
    assert!(matches!(within(client.ask(Ask::Guarded)).await, Heard::Error(_)));
    stage.gate.policy.allow_all();
    assert!(matches!(within(client.ask(Ask::Guarded)).await, Heard::Done(_)));
}

/// A revocation ends what runs within two seconds.
pub async fn revocation_ends_a_running_stream<S: Subject>() {
    let stage = Stage::<S>::new();
    let (mut client, served) = stage.client().await;
    within(client.ask(Ask::Endless)).await;
    let reading = tokio::spawn(async move { client.until_closed().await });
    assert_eq!(stage.gate.sessions.revoke(&Revocation::Token("token-1".into())), 1);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(2), reading).await;
    assert!(matches!(ended, Ok(Ok(Heard::Closed(_)))), "the stream did not end: {ended:?}");
    ended_without_panic(served).await;
    assert_eq!(stage.gate.sessions.count(), 0);
}

/// How bytes are cut on their way changes nothing.
pub async fn any_rechunking_gives_the_same_operations<S: Subject>() {
    let mut seen = Vec::new();
    for chunk in [0, 1, 2, 3, 7, 64] {
        let stage = Stage::<S>::new();
        let (stream, served) = stage.connect(true, chunk);
        let mut client =
            within(S::log_in(stream, TOKEN)).await.unwrap_or_else(|told| panic!("chunks of {chunk}: {told}"));
        let heard = within(client.pipeline(&[Ask::Allowed, Ask::Guarded])).await;
        drop(client);
        ended_without_panic(served).await;
        let operations = stage.gate.recorder.of("operation");
        let target = stage.gate.connector.received();
        seen.push((chunk, heard, operations, target));
    }
    for (chunk, heard, operations, target) in &seen[1..] {
        assert_eq!(heard, &seen[0].1, "chunks of {chunk} gave other replies");
        assert_eq!(operations, &seen[0].2, "chunks of {chunk} gave other operations");
        assert_eq!(target, &seen[0].3, "chunks of {chunk} gave the target other bytes");
    }
}

/// A denial takes its place in the order of answers.
pub async fn pipelined_operations_keep_order_past_a_denial<S: Subject>() {
    let stage = Stage::<S>::new();
    stage.gate.policy.deny(S::GUARDED_ACTION);
    let (mut client, _served) = stage.client().await;
    let heard = within(client.pipeline(&[Ask::Allowed, Ask::Guarded, Ask::Allowed])).await;
    assert!(
        matches!(heard.as_slice(), [Heard::Done(_), Heard::Error(_), Heard::Done(_)]),
        "answers out of order: {heard:?}"
    );
}

async fn hear_all(stream: &mut BoxStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // A reset is an end like any other.
    let _ = within(stream.read_to_end(&mut heard)).await;
    heard
}

/// Garbage in the place of a login ends the connection, and only that.
pub async fn bad_beginnings_close_without_panic<S: Subject>() {
    for bad in S::bad_beginnings() {
        let stage = Stage::<S>::new();
        let (mut stream, served) = stage.connect(true, 0);
        // The gate may have closed before it has taken everything.
        let _ = within(stream.write_all(&bad)).await;
        let _ = within(stream.shutdown()).await;
        hear_all(&mut stream).await;
        ended_without_panic(served).await;
        assert_eq!(stage.gate.connector.dials(), 0, "garbage reached the target: {bad:?}");
    }
}

/// Garbage inside a session ends the session, and does not reach the target.
pub async fn bad_messages_close_without_panic_and_are_not_relayed<S: Subject>() {
    for bad in S::bad_messages() {
        let stage = Stage::<S>::new();
        let (mut client, served) = stage.client().await;
        let before = stage.gate.connector.received();
        let heard = within(client.raw(&bad)).await;
        assert!(matches!(heard, Heard::Closed(_)), "{bad:?} was answered: {heard:?}");
        drop(client);
        ended_without_panic(served).await;
        let after = stage.gate.connector.received();
        assert!(!contains(&after[before.len()..], &bad), "{bad:?} was relayed");
    }
}

/// Where a login needs TLS, one without is refused before any token is asked for.
pub async fn plaintext_downgrade_is_refused<S: Subject>() {
    let stage = Stage::<S>::new();
    let (stream, served) = stage.connect(false, 0);
    assert!(within(S::log_in(stream, TOKEN)).await.is_err());
    ended_without_panic(served).await;
    assert_eq!(stage.gate.connector.dials(), 0);
    assert!(stage.gate.recorder.events().is_empty());
}

/// A drain lets what runs come to its end, begins nothing new, and then the sessions are over.
pub async fn drain_finishes_what_runs_and_refuses_what_is_new<S: Subject>() {
    let stage = Stage::<S>::new();
    let (mut running, served) = stage.client().await;
    let (mut idle, idle_served) = stage.client().await;
    within(running.ask(Ask::Endless)).await;
    stage.gate.sessions.drain();
    assert!(matches!(within(idle.ask(Ask::Guarded)).await, Heard::Closed(_)), "a drained session took new work");
    assert!(!contains(&stage.gate.connector.received(), S::GUARDED_BYTES));
    let (stream, late) = stage.connect(true, 0);
    assert!(within(S::log_in(stream, TOKEN)).await.is_err(), "a draining gate let a client in");
    assert!(!served.is_finished(), "what ran was cut off");
    stage.gate.sessions.stop();
    assert!(matches!(within(running.until_closed()).await, Heard::Closed(_)));
    for served in [served, idle_served, late] {
        ended_without_panic(served).await;
    }
}
