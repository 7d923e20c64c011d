//! `ci`: everything that a change must pass, the quick things first.

use std::time::Instant;

use clap::Args;

use crate::command::{cargo, run as run_command};
use crate::setup::{self, Part};
use crate::{demo, deny, fuzz, seams, test};

/// Run everything that a change must pass: format, lints, seams, dependencies, tests, the demo's
/// tour, and the fuzz targets for a short while.
#[derive(Args)]
pub(crate) struct Options {}

type Stage = fn() -> anyhow::Result<()>;

const STAGES: [(&str, Stage); 7] = [
    ("format", || run_command(&mut cargo(["fmt", "--all", "--check"]))),
    ("seams", || seams::run(&seams::Options {})),
    ("lints", || {
        run_command(&mut cargo(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
    }),
    ("dependencies", || deny::run(&deny::Options::default())),
    ("fuzz", || fuzz::run(&fuzz::Options::short())),
    ("demo", || demo::run(&demo::Options { check: true })),
    ("test", || test::run(&test::Options::default())),
];

pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Build])?;
    let start = Instant::now();
    for (name, stage) in STAGES {
        let began = Instant::now();
        println!("ci: {name}");
        stage()?;
        println!("ci: {name} took {} s", began.elapsed().as_secs());
    }
    println!("ci: all passed in {} s", start.elapsed().as_secs());
    Ok(())
}
