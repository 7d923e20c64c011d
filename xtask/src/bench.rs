//! `bench`: the side-by-side comparison, written to benches/RESULTS.md.

use clap::Args;

use crate::command::{cargo, run as run_command};
use crate::setup::{self, Part};

/// Measure the gate beside a direct connection, HAProxy and PgBouncer, and its memory, and write
/// the figures with date and machine to benches/RESULTS.md.
#[derive(Args)]
pub(crate) struct Options {
    /// A short run that only shows that everything works; writes to the terminal, not to the file.
    #[arg(long)]
    quick: bool,
    /// Only these parts: simple, extended, prepared, rows, memory, masked (separate by commas).
    #[arg(long, value_name = "PARTS")]
    only: Option<String>,
    /// How long each run of pgbench lasts.
    #[arg(long)]
    seconds: Option<u32>,
    /// How often everything is run; a table shows medians.
    #[arg(long)]
    rounds: Option<u32>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Build, Part::Postgres, Part::Bench])?;
    // The program only starts clients and waits for them; the gate that it starts is a release build.
    let mut bench = cargo(["run", "--quiet", "--package", "portcullis-benches", "--"]);
    if options.quick {
        bench.arg("--quick");
    }
    if let Some(parts) = &options.only {
        bench.arg("--only").arg(parts);
    }
    for (name, value) in [("--seconds", options.seconds), ("--rounds", options.rounds)] {
        if let Some(value) = value {
            bench.arg(name).arg(value.to_string());
        }
    }
    run_command(&mut bench)
}
