//! The tour of `demo --check`: what the demo promises, tried step by step with a real psql.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context, bail, ensure};

use super::people::{AGENT, DBA, INTERN, Person, VENDOR};
use super::scene::{Said, Scene};

type Step = fn(&Scene) -> anyhow::Result<()>;

const STEPS: [(&str, Step); 12] = [
    ("allowed read", allowed_read),
    ("denied table", denied_table),
    ("denied DROP aborts its transaction honestly", denied_drop_aborts),
    ("denied statement behind a savepoint lets the rest commit", denied_behind_savepoint),
    ("session is usable after a denial", usable_after_denial),
    ("wrong audience refused", wrong_audience),
    ("expired token refused", expired_token),
    ("group without permission refused", unknown_group),
    ("token without subject refused", no_subject),
    ("recordings verified", recordings_verify),
    ("one flipped byte found", flipped_byte),
    ("replay shows the denied statement and why", replay),
];

/// The reason that the sample policies give for a denied DROP.
const REASON: &str = "schema changes go through migrations";

/// Walks all steps, says how each went, and fails if one did.
pub(super) fn walk(scene: &Scene) -> anyhow::Result<()> {
    let mut failed = 0;
    for (name, step) in STEPS {
        match step(scene) {
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

fn run(scene: &Scene, person: &Person, sql: &str) -> anyhow::Result<Said> {
    scene.psql(person.name, &person.claims(), sql)
}

fn expect(said: &Said, output: &str, errors: &[&str]) -> anyhow::Result<()> {
    ensure!(said.output == output, "expected `{output}`, psql printed `{}` and `{}`", said.output, said.errors);
    match errors.iter().find(|part| !said.errors.contains(*part)) {
        Some(missing) => bail!("expected `{missing}` in the errors, psql printed `{}`", said.errors),
        None => Ok(()),
    }
}

fn allowed_read(scene: &Scene) -> anyhow::Result<()> {
    let said = run(scene, &AGENT, "SELECT name FROM customers WHERE id = 1;")?;
    expect(&said, "Ada Example", &[])?;
    ensure!(said.errors.is_empty(), "psql complained: {}", said.errors);
    Ok(())
}

fn denied_table(scene: &Scene) -> anyhow::Result<()> {
    let said = run(scene, &VENDOR, "SELECT count(*) FROM orders;\nSELECT email FROM customers;")?;
    expect(&said, "4", &["42501"])
}

fn denied_drop_aborts(scene: &Scene) -> anyhow::Result<()> {
    let script = "BEGIN;\nSELECT name FROM products WHERE id = 1;\nDROP TABLE customers;\n\
                  SELECT name FROM products;\nCOMMIT;\nSELECT count(*) FROM customers;";
    let said = run(scene, &AGENT, script)?;
    expect(&said, "Portcullis, oak\n4", &["42501", REASON, "25P02"])
}

fn denied_behind_savepoint(scene: &Scene) -> anyhow::Result<()> {
    let script = "BEGIN;\nUPDATE orders SET state = 'packed' WHERE id = 1;\nSAVEPOINT s;\n\
                  COPY customers TO PROGRAM 'cat';\nROLLBACK TO s;\nCOMMIT;\nSELECT state FROM orders WHERE id = 1;";
    let said = run(scene, &DBA, script)?;
    expect(&said, "packed", &["42501"])?;
    let stored = scene.postgres.sql("SELECT state FROM orders WHERE id = 1")?;
    ensure!(stored.trim() == "packed", "PostgreSQL itself says `{}`", stored.trim());
    Ok(())
}

fn usable_after_denial(scene: &Scene) -> anyhow::Result<()> {
    let said = run(scene, &AGENT, "DELETE FROM orders;\nSELECT count(*) FROM orders;")?;
    expect(&said, "4", &["42501", "agents read"])
}

fn refused(scene: &Scene, claims: &portcullis_testkit::issuer::Claims) -> anyhow::Result<()> {
    let said = scene.psql("agent", claims, "SELECT 'inside';")?;
    expect(&said, "", &["FATAL"])
}

fn wrong_audience(scene: &Scene) -> anyhow::Result<()> {
    refused(scene, &AGENT.claims().audience("another-gate"))
}

fn expired_token(scene: &Scene) -> anyhow::Result<()> {
    refused(scene, &portcullis_testkit::issuer::Claims::new("agent").groups(["agents"]).expired())
}

fn unknown_group(scene: &Scene) -> anyhow::Result<()> {
    refused(scene, &INTERN.claims())
}

fn no_subject(scene: &Scene) -> anyhow::Result<()> {
    refused(scene, &AGENT.claims().without("sub"))
}

fn portcullis(scene: &Scene, arguments: &[&str]) -> anyhow::Result<Output> {
    scene.gate.command(arguments).output().context("cannot run portcullis")
}

fn recordings_verify(scene: &Scene) -> anyhow::Result<()> {
    let folder = scene.gate.recordings();
    let output = portcullis(scene, &["verify", &folder.to_string_lossy()])?;
    ensure!(output.status.success(), "`verify` ended with {}: {}", output.status, words(&output));
    Ok(())
}

fn flipped_byte(scene: &Scene) -> anyhow::Result<()> {
    let (recording, _) = denied_session(scene)?;
    let mut bytes = fs::read(&recording)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("the recording is empty")? ^= 1;
    let changed = scene.gate.config().with_file_name("changed.rec");
    fs::write(&changed, bytes)?;
    let output = portcullis(scene, &["verify", &changed.to_string_lossy()])?;
    ensure!(output.status.code() == Some(1), "`verify` ended with {}: {}", output.status, words(&output));
    Ok(())
}

fn replay(scene: &Scene) -> anyhow::Result<()> {
    let (_, shown) = denied_session(scene)?;
    ensure!(shown.contains(REASON), "`replay` gives no reason:\n{shown}");
    Ok(())
}

/// The recording in which DROP was tried, and what `replay` shows of it.
fn denied_session(scene: &Scene) -> anyhow::Result<(PathBuf, String)> {
    for entry in fs::read_dir(scene.gate.recordings())? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "rec") {
            continue;
        }
        let output = portcullis(scene, &["replay", &path.to_string_lossy()])?;
        ensure!(output.status.success(), "`replay` ended with {}: {}", output.status, words(&output));
        let shown = words(&output);
        if shown.contains("DROP TABLE customers") {
            return Ok((path, shown));
        }
    }
    bail!("no recording has the denied statement")
}

fn words(output: &Output) -> String {
    (String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr)).into_owned()
}
