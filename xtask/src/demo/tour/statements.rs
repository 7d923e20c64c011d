//! What may be done inside, and what becomes of transaction and session where something may not.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::process::{Pid, Signal, kill_process};

use super::{REASON, expect, run, stored};
use crate::demo::people::{AGENT, DBA, VENDOR};
use crate::demo::scene::{Scene, Tls, finish};

/// How long PostgreSQL may take to begin or end a statement.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

pub(super) fn allowed_read(scene: &Scene) -> anyhow::Result<()> {
    let said = run(scene, &AGENT, "SELECT name FROM customers WHERE id = 1;")?;
    expect(&said, "Ada Example", &[])?;
    let said = run(scene, &VENDOR, "SELECT count(*) FROM orders JOIN products ON products.id = product;")?;
    expect(&said, "4", &[])
}

pub(super) fn described_table(scene: &Scene) -> anyhow::Result<()> {
    let said = run(scene, &DBA, "\\t off\n\\d customers")?;
    let lines = ["id|integer||not null|", "email|text|||", "\"customers_pkey\" PRIMARY KEY, btree (id)"];
    let missing = lines.into_iter().find(|line| !said.output.contains(line));
    ensure!(missing.is_none(), "no `{}` in `{}`, `{}`", missing.unwrap_or_default(), said.output, said.errors);
    ensure!(said.errors.is_empty(), "psql complained: {}", said.errors);
    Ok(())
}

pub(super) fn denied_table(scene: &Scene) -> anyhow::Result<()> {
    let said = run(scene, &VENDOR, "SELECT count(*) FROM orders;\nSELECT email FROM customers;")?;
    expect(&said, "4", &["42501"])?;
    let said = run(scene, &VENDOR, "SELECT email FROM orders JOIN customers ON customers.id = customer;")?;
    expect(&said, "", &["42501"])
}

pub(super) fn denied_drop_aborts(scene: &Scene) -> anyhow::Result<()> {
    let script = "BEGIN;\nSELECT name FROM products WHERE id = 1;\nDROP TABLE customers;\n\
                  SELECT name FROM products;\nCOMMIT;\nSELECT count(*) FROM customers;";
    let said = run(scene, &AGENT, script)?;
    expect(&said, "Portcullis, oak\n4", &["42501", REASON, "never-drop-the-shop", "25P02"])?;
    stored(scene, "SELECT count(*) FROM customers", "4")
}

pub(super) fn denied_behind_savepoint(scene: &Scene) -> anyhow::Result<()> {
    let script = "BEGIN;\nUPDATE orders SET state = 'packed' WHERE id = 1;\nSAVEPOINT s;\n\
                  COPY customers TO PROGRAM 'cat';\nROLLBACK TO s;\nCOMMIT;\nSELECT state FROM orders WHERE id = 1;";
    stored(scene, "SELECT state FROM orders WHERE id = 1", "new")?;
    expect(&run(scene, &DBA, script)?, "packed", &["42501"])?;
    stored(scene, "SELECT state FROM orders WHERE id = 1", "packed")?;
    let script = "BEGIN;\nSAVEPOINT s;\nDROP TABLE orders;\nROLLBACK TO s;\nSELECT count(*) FROM orders;\nCOMMIT;";
    expect(&run(scene, &AGENT, script)?, "4", &["42501", REASON])
}

/// `\;` sends several statements as one query.
pub(super) fn denied_batch(scene: &Scene) -> anyhow::Result<()> {
    let script = "SELECT 1 FROM orders \\; DROP TABLE orders \\; SELECT 2 FROM orders;\nSELECT count(*) FROM orders;";
    expect(&run(scene, &AGENT, script)?, "4", &["42501", REASON])?;
    stored(scene, "SELECT count(*) FROM orders", "4")
}

pub(super) fn usable_after_denial(scene: &Scene) -> anyhow::Result<()> {
    let said = run(scene, &AGENT, "UPDATE orders SET state = 'lost';\nSELECT count(*) FROM orders;")?;
    expect(&said, "4", &["42501", "agents read"])?;
    stored(scene, "SELECT count(*) FROM orders WHERE state = 'lost'", "0")
}

pub(super) fn programs_denied(scene: &Scene) -> anyhow::Result<()> {
    let allowed = "COPY (SELECT id FROM products WHERE id < 3) TO STDOUT;";
    expect(&run(scene, &DBA, allowed)?, "1\n2", &[])?;
    for escape in ["COPY products TO PROGRAM 'cat';", "SELECT pg_read_file('/etc/passwd');"] {
        expect(&run(scene, &DBA, escape)?, "", &["42501", "nobody-leaves-the-database"])?;
    }
    Ok(())
}

/// What Ctrl-C in psql does: a cancel request on a connection of its own.
pub(super) fn cancelled(scene: &Scene) -> anyhow::Result<()> {
    let token = scene.issuer.mint(&DBA.claims());
    let psql = scene.begin(DBA.name, &token, "SELECT pg_sleep(300);", Tls::Verified)?;
    let sleeping = |is: bool| -> anyhow::Result<()> {
        let asked = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep(%'";
        let deadline = Instant::now() + PATIENCE;
        while (scene.postgres.sql(asked)?.trim() != "0") != is {
            ensure!(Instant::now() < deadline, "after {PATIENCE:?} the statement still runs: {}", !is);
            sleep(POLL);
        }
        Ok(())
    };
    let ran = sleeping(true);
    kill_process(Pid::from_child(&psql), Signal::INT)?;
    let ended = ran.and_then(|()| sleeping(false));
    if ended.is_err() {
        kill_process(Pid::from_child(&psql), Signal::KILL)?;
    }
    let said = finish(psql)?;
    ended?;
    expect(&said, "", &["57014", "canceling statement due to user request"])
}
