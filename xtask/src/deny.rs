//! `deny`: licences, bans, sources and advisories of the dependency tree, by cargo-deny.

use anyhow::bail;
use clap::Args;
use portcullis_testkit::servers::cache_folder;

use crate::command::{root, run as run_command};
use crate::setup::{self, Part};

/// Check the dependency tree against deny.toml with cargo-deny, which is installed if missing.
///
/// Advisories need the advisory database, which is fetched from the network; where it cannot be
/// had, this says so and checks the rest.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Fail where the advisory database cannot be had, instead of saying so.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Deny])?;
    run_command(deny().args(["bans", "licenses", "sources"]))?;
    let fetched = std::process::Command::new(program()).current_dir(root()).args(["fetch", "db"]).output()?;
    if fetched.status.success() {
        return run_command(deny().arg("advisories"));
    }
    if options.strict {
        bail!("the advisory database cannot be had: {}", String::from_utf8_lossy(&fetched.stderr).trim());
    }
    println!("deny: ADVISORIES NOT CHECKED: the advisory database cannot be fetched from here");
    Ok(())
}

fn program() -> std::path::PathBuf {
    cache_folder().join("cargo/bin/cargo-deny")
}

fn deny() -> std::process::Command {
    let mut command = std::process::Command::new(program());
    command.current_dir(root()).args(["--log-level", "error", "check", "--hide-inclusion-graph"]);
    command
}
