//! pgbench on one leg: its built-in select-only script, and what it says of itself.

use std::process::Command;

use anyhow::{Context, ensure};
use portcullis_testkit::servers::Postgres;

use crate::arena::Leg;

/// What pgbench measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Transactions a second, without the time to connect.
    pub(crate) per_second: f64,
    /// The average, in milliseconds.
    pub(crate) latency: f64,
}

/// Makes pgbench's tables, owned by the application.
pub(crate) fn fill(postgres: &Postgres, scale: u32) -> anyhow::Result<()> {
    let mut command = Command::new(postgres.program("pgbench"));
    command.args(["-i", "-q", "-s", &scale.to_string(), "-U", Postgres::USER, Postgres::DATABASE]);
    command.arg("-h").arg(postgres.socket_folder()).arg("-p").arg(postgres.port().to_string());
    let output = command.output().context("cannot run pgbench")?;
    ensure!(output.status.success(), "pgbench -i failed: {}", String::from_utf8_lossy(&output.stderr));
    postgres.sql("VACUUM ANALYZE")?;
    Ok(())
}

/// Runs it once.
pub(crate) fn run(postgres: &Postgres, leg: &Leg, mode: &str, clients: u32, seconds: u32) -> anyhow::Result<Rate> {
    let mut command = Command::new(postgres.program("pgbench"));
    command.args(["-n", "-S", "-M", mode, "-c", &clients.to_string(), "-j", &clients.min(2).to_string()]);
    command.args(["-T", &seconds.to_string(), "-h", "localhost", "-p", &leg.port.to_string()]);
    command.args(["-U", Postgres::USER, Postgres::DATABASE]);
    command.env("PGPASSWORD", &leg.password).env("PGHOSTADDR", "127.0.0.1");
    match &leg.authority {
        Some(authority) => command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", authority),
        None => command.env("PGSSLMODE", "disable"),
    };
    if leg.direct_tls {
        command.env("PGSSLNEGOTIATION", "direct");
    }
    let output = command.output().context("cannot run pgbench")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pgbench through {:?} failed: {errors}", leg.between);
    read(&String::from_utf8_lossy(&output.stdout)).with_context(|| format!("pgbench said no figures: {errors}"))
}

fn read(text: &str) -> Option<Rate> {
    let after = |prefix: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(prefix))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Rate { per_second: after("tps = ")?, latency: after("latency average = ")? })
}
