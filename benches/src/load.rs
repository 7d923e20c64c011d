//! The loads: pgbench in its three protocols, and a million rows by SELECT and by COPY.
//!
//! It runs one load over one leg and returns what that run measured; it compares nothing.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::leg::Leg;
use crate::process::processor_time;
use crate::scene::Scene;

/// How pgbench sends its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    Simple,
    Extended,
    Prepared,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Extended => "extended",
            Self::Prepared => "prepared",
        }
    }
}

/// Something for a client to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    /// pgbench's select-only transactions, for as long as a run lasts.
    Pgbench { mode: Mode, clients: u32 },
    /// All million rows of `pgbench_accounts`, once, by psql.
    Select,
    /// The same by COPY.
    Copy,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pgbench { mode, clients } => write!(f, "{}, {clients} client{}", mode.name(), plural(*clients)),
            Self::Select => f.write_str("SELECT, 1 M rows"),
            Self::Copy => f.write_str("COPY TO STDOUT, 1 M rows"),
        }
    }
}

const fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What one run measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Transactions (or whole results) in a second.
    pub(crate) rate: f64,
    /// Seconds for one of them.
    pub(crate) latency: f64,
    /// Processor seconds that the part in the middle spent on one of them.
    pub(crate) processor: Option<f64>,
}

impl Load {
    pub(crate) fn run(self, scene: &Scene, leg: Leg, duration: Duration) -> anyhow::Result<Run> {
        match self {
            Self::Pgbench { mode, clients } => pgbench(scene, leg, mode, clients, duration),
            Self::Select => psql(scene, leg, "SELECT aid, bid, abalance, filler FROM pgbench_accounts"),
            Self::Copy => psql(scene, leg, "COPY pgbench_accounts TO STDOUT"),
        }
        .with_context(|| format!("{self}, {leg}"))
    }
}

fn pgbench(scene: &Scene, leg: Leg, mode: Mode, clients: u32, duration: Duration) -> anyhow::Result<Run> {
    let mut command = scene.client("pgbench", leg)?;
    command.args(["-n", "-S", "-M", mode.name(), "-c", &clients.to_string(), "-j", &clients.min(2).to_string()]);
    command.args(["-T", &duration.as_secs().to_string()]);
    let (text, _, spent) = observe(scene, leg, &mut command)?;
    let transactions = figure(&text, "number of transactions actually processed: ")?;
    ensure!(transactions > 0.0, "no transaction went through:\n{text}");
    Ok(Run {
        rate: figure(&text, "tps = ")?,
        latency: figure(&text, "latency average = ")? / 1_000.0,
        processor: spent.map(|spent| spent.as_secs_f64() / transactions),
    })
}

fn psql(scene: &Scene, leg: Leg, statement: &str) -> anyhow::Result<Run> {
    let mut command = scene.client("psql", leg)?;
    command.args(["-X", "-q", "-A", "-t", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-c", statement]);
    command.stdout(Stdio::null());
    let (_, taken, spent) = observe(scene, leg, &mut command)?;
    let latency = taken.as_secs_f64();
    Ok(Run { rate: latency.recip(), latency, processor: spent.map(|spent| spent.as_secs_f64()) })
}

/// Runs a client to its end: what it printed, how long it took, and the processor time that the
/// part in the middle spent meanwhile.
fn observe(scene: &Scene, leg: Leg, command: &mut Command) -> anyhow::Result<(String, Duration, Option<Duration>)> {
    let process = scene.process(leg);
    let before = process.map(processor_time).transpose()?;
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().context("cannot run the client")?;
    let taken = begun.elapsed();
    let after = process.map(processor_time).transpose()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the client failed: {}", errors.trim());
    let spent = after.zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), taken, spent))
}

/// The number after `label` in what pgbench printed.
fn figure(text: &str, label: &str) -> anyhow::Result<f64> {
    let found = text.split_once(label).and_then(|(_, rest)| rest.split_whitespace().next());
    let number = found.with_context(|| format!("pgbench printed no `{label}`:\n{text}"))?;
    number.parse().with_context(|| format!("`{label}` is followed by `{number}`"))
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_stand_behind_their_labels() {
        let text = "latency average = 0.049 ms\ntps = 20375.413 (without initial connection time)\n";
        assert!((figure(text, "tps = ").unwrap() - 20_375.413).abs() < 1e-6);
        assert!((figure(text, "latency average = ").unwrap() - 0.049).abs() < 1e-9);
        assert!(figure(text, "clients: ").is_err());
    }
}
