//! The tour of `demo --check`: what the demo promises, tried step by step with a real psql.
//!
//! Every step first shows that it could fail: it looks for what must be there as well as for what
//! must not.

mod approvals;
mod logins;
mod masking;
mod recordings;
mod statements;
mod watching;

use anyhow::{bail, ensure};

use super::interrupt::Interrupt;
use super::people::Person;
use super::scene::{Said, Scene};

type Step = fn(&Scene) -> anyhow::Result<()>;

const STEPS: [(&str, Step); 27] = [
    ("allowed read", statements::allowed_read),
    ("masked read", masking::masked),
    ("the same read revealed to support", masking::revealed),
    ("psql describes a table", statements::described_table),
    ("denied table", statements::denied_table),
    ("denied DROP aborts its transaction honestly", statements::denied_drop_aborts),
    ("denied statement behind a savepoint lets the rest commit", statements::denied_behind_savepoint),
    ("one denied statement denies its whole batch", statements::denied_batch),
    ("session is usable after a denial", statements::usable_after_denial),
    ("nobody leaves the database", statements::programs_denied),
    ("a running statement is cancelled", statements::cancelled),
    ("held DELETE approved by a DBA", approvals::approved),
    ("held DELETE denied by a DBA", approvals::denied),
    ("DELETE without a condition approved by nobody for oneself", approvals::never_by_oneself),
    ("wrong audience refused", logins::wrong_audience),
    ("expired token refused", logins::expired),
    ("forged token refused", logins::forged),
    ("token without subject refused", logins::no_subject),
    ("group without permission refused", logins::unknown_group),
    ("login without TLS refused", logins::plaintext),
    ("denials are counted", watching::denials_counted),
    ("sessions are listed", recordings::listed),
    ("recording verified", recordings::verified),
    ("recording with one flipped byte found", recordings::flipped_byte),
    ("removed recording found", recordings::removed),
    ("replay shows the denied statement and why", recordings::replayed_denial),
    ("replay shows the allowed statement", recordings::replayed_read),
];

/// The reason that the sample policies give for a denied DROP.
const REASON: &str = "schema changes go through migrations";

/// Walks all steps, says how each went, and fails if one did.
pub(super) fn walk(scene: &Scene, interrupt: &Interrupt) -> anyhow::Result<()> {
    let mut failed = 0;
    for (name, step) in STEPS {
        let done = step(scene);
        ensure!(!interrupt.has_come(), "interrupted");
        match done {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                failed += 1;
                println!("FAIL {name}: {error:#}");
            }
        }
    }
    println!("demo: {} passed, {failed} failed", STEPS.len() - failed);
    ensure!(failed == 0, "the gate's log:\n{}", scene.gate.log());
    Ok(())
}

/// What psql says when this person runs this.
fn run(scene: &Scene, person: &Person, sql: &str) -> anyhow::Result<Said> {
    scene.psql(person.name, &scene.issuer.mint(&person.claims()), sql)
}

/// That psql printed just this, and each of these among its errors; none where none is named.
fn expect(said: &Said, output: &str, errors: &[&str]) -> anyhow::Result<()> {
    ensure!(said.output == output, "expected `{output}`, psql printed `{}` and `{}`", said.output, said.errors);
    ensure!(!errors.is_empty() || said.errors.is_empty(), "psql complained: {}", said.errors);
    match errors.iter().find(|part| !said.errors.contains(*part)) {
        Some(missing) => bail!("expected `{missing}` in the errors, psql printed `{}`", said.errors),
        None => Ok(()),
    }
}

/// What PostgreSQL itself says, asked past the gate.
fn stored(scene: &Scene, sql: &str, expected: &str) -> anyhow::Result<()> {
    let found = scene.postgres.sql(sql)?;
    ensure!(found.trim() == expected, "`{sql}` is `{}` in PostgreSQL, not `{expected}`", found.trim());
    Ok(())
}
