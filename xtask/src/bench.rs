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
    /// Leave the gate out, to look at the others.
    #[arg(long)]
    without_gate: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Build, Part::Postgres, Part::Bench])?;
    let mut bench = cargo(["run", "--quiet", "--release", "--package", "portcullis-benches", "--"]);
    if options.quick {
        bench.arg("--quick");
    }
    if options.without_gate {
        bench.arg("--without-gate");
    }
    run_command(&mut bench)
}
