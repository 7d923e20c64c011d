//! `ci`: everything that a change must pass, the quick things first. Fuzzing is not among them: it
//! builds the whole tree a third time, with coverage, and finds more the longer it runs.

use std::time::Instant;

use clap::Args;

use crate::command::{cargo, run as run_command};
use crate::setup::{self, Part};
use crate::{demo, deny, seams, test, ui};

/// Run everything that a change must pass: format, lints, seams, dependencies, the page's own tests, the
/// demo's tour and the tests.
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
    ("page", || ui::run(&ui::Options::default())),
    ("demo", || demo::run(&demo::Options { check: true })),
    ("test", || test::run(&test::Options::default())),
];

pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Build, Part::Browser])?;
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
