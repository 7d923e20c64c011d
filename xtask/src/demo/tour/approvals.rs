//! Statements that wait for humans, and the commands with which humans answer.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{expect, stored};
use crate::demo::people::{DBA, Person, SUPPORT, VENDOR};
use crate::demo::scene::{Said, Scene, Tls, finish};

/// How long a statement may take to be held.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

pub(super) fn approved(scene: &Scene) -> anyhow::Result<()> {
    let said = held(scene, &VENDOR, "DELETE FROM orders WHERE id = 4;\nSELECT count(*) FROM orders;", |id| {
        let shown = command(scene, &DBA, &["show", id])?;
        ensure!(shown.contains("DELETE FROM orders WHERE id = 4"), "`show` does not show the statement: {shown}");
        stored(scene, "SELECT count(*) FROM orders", "4")?;
        command(scene, &DBA, &["approve", id, "--reason", "the order was returned"])
    })?;
    expect(&said, "3", &["waits for an approval", "/asks/"])?;
    stored(scene, "SELECT count(*) FROM orders", "3")
}

pub(super) fn denied(scene: &Scene) -> anyhow::Result<()> {
    let said = held(scene, &SUPPORT, "DELETE FROM orders WHERE id = 1;\nSELECT count(*) FROM orders;", |id| {
        command(scene, &DBA, &["deny", id, "--reason", "not during the sale"])
    })?;
    expect(&said, "3", &["42501", "not during the sale"])?;
    stored(scene, "SELECT count(*) FROM orders", "3")
}

pub(super) fn never_by_oneself(scene: &Scene) -> anyhow::Result<()> {
    let other = Person { name: "other-dba", ..DBA };
    let said = held(scene, &DBA, "DELETE FROM orders;", |id| {
        let own = command(scene, &DBA, &["approve", id, "--reason", "trust me"]);
        let refused = own.as_ref().is_err_and(|why| why.to_string().contains("own-ask"));
        ensure!(refused, "the requester could approve: {own:?}");
        command(scene, &other, &["deny", id, "--reason", "name a condition"])
    })?;
    expect(&said, "", &["42501", "name a condition"])?;
    stored(scene, "SELECT count(*) FROM orders", "3")
}

/// Runs SQL whose first statement is held, answers it by its id, and gives what psql said.
fn held(
    scene: &Scene,
    person: &Person,
    sql: &str,
    answer: impl FnOnce(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Said> {
    let psql = scene.begin(person.name, &scene.issuer.mint(&person.claims()), sql, Tls::Verified)?;
    let begun = Instant::now();
    let asks = loop {
        let asks = command(scene, &DBA, &["asks"])?;
        if !asks.is_empty() {
            break asks;
        }
        ensure!(begun.elapsed() < PATIENCE, "nothing waits for an approval");
        sleep(POLL);
    };
    answer(asks.split_whitespace().next().context("an ask has an id")?)?;
    finish(psql)
}

/// Runs a command against the control API.
fn command(scene: &Scene, person: &Person, arguments: &[&str]) -> anyhow::Result<String> {
    let output = scene.gate.control_command(&scene.issuer.mint(&person.claims()), arguments).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`portcullis {}`: {wrong}", arguments.join(" "));
    Ok(said)
}
