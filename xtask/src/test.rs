//! `test`: every test of the workspace, against real servers and clients.

use std::process::Command;

use clap::Args;
use portcullis_testkit::servers::{Build, TESTED_GATE, Version, build_gate, cache_folder};

use crate::command::{cargo, output, run as run_command};
use crate::setup::{self, Part};

/// Install what is missing, say the versions of the real parts, and run every test.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Passed on to `cargo test`, for instance a part of a test's name.
    #[arg(trailing_var_arg = true)]
    filter: Vec<String>,
}

/// What the tests need.
pub(crate) const PARTS: [Part; 5] = [Part::Build, Part::Postgres, Part::Drivers, Part::Oauth, Part::Browser];

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::ensure(&PARTS)?;
    say_versions()?;
    // Once and for all, so that the tests themselves need not ask cargo.
    println!("test: building the gate");
    let gate = build_gate(Build::Debug)?;
    run_command(cargo(["test", "--workspace", "--quiet"]).args(&options.filter).env(TESTED_GATE, gate))
}

/// What the tests run against, so that a log tells.
fn say_versions() -> anyhow::Result<()> {
    let cache = cache_folder();
    let python = cache.join("python/bin/python");
    let drivers = "import psycopg, asyncpg; print('psycopg', psycopg.__version__, 'asyncpg', asyncpg.__version__)";
    let mut parts = vec![(Command::new("rustc"), vec!["--version"])];
    for version in Version::ALL {
        parts.push((Command::new(version.programs()?.join("postgres")), vec!["--version"]));
    }
    parts.extend([
        (Command::new(cache.join("psql-oauth/psql")), vec!["--version"]),
        (Command::new(python), vec!["-c", drivers]),
        (Command::new("node"), vec!["--version"]),
        (Command::new("chromium"), vec!["--version"]),
        (Command::new("java"), vec!["--version"]),
    ]);
    for (mut command, arguments) in parts {
        let said = output(command.args(arguments))?;
        println!("test: {}", said.lines().next().unwrap_or_default());
    }
    Ok(())
}
