//! `fuzz`: runs the fuzz targets with libFuzzer.
//!
//! The coverage that libFuzzer steers by is a pass of LLVM which the pinned stable compiler has
//! too, so neither a nightly compiler nor cargo-fuzz is needed; both work as well.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::Args;

use crate::command::{cargo, root, run as run_command};
use crate::setup::{self, Part};

/// Run the fuzz targets: all of them in turn, or one.
///
/// New inputs are kept in fuzz/corpus/TARGET, a finding in fuzz/artifacts/TARGET. To run one
/// finding again: `cargo xtask fuzz TARGET --input FILE`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this target.
    target: Option<String>,
    /// 60 seconds for each target.
    #[arg(long, conflicts_with = "seconds")]
    smoke: bool,
    /// Seconds for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
    /// Run this input once, instead of searching.
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
}

const SMOKE_SECONDS: u32 = 60;
const CI_SECONDS: u32 = 15;

/// What cargo-fuzz passes too: edge counters, compared values, and the code they belong to.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=on -Coverflow-checks=on";

impl Options {
    /// As long as a change's check may take.
    pub(crate) const fn short() -> Self {
        Self { target: None, smoke: false, seconds: CI_SECONDS, input: None }
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Build, Part::Fuzz])?;
    let targets = targets()?;
    let chosen = targets.iter().filter(|name| options.target.as_ref().is_none_or(|only| only == *name));
    let chosen: Vec<&String> = chosen.collect();
    anyhow::ensure!(!chosen.is_empty(), "there is no such target; there are: {}", targets.join(", "));
    build()?;
    let seconds = if options.smoke { SMOKE_SECONDS } else { options.seconds };
    for name in &chosen {
        fuzz(name, seconds, options.input.as_ref())?;
    }
    println!("fuzz: {} targets without a finding", chosen.len());
    Ok(())
}

fn targets() -> anyhow::Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// With a `--target`, so that the flags do not reach build scripts and procedural macros.
fn build() -> anyhow::Result<()> {
    let mut build = cargo(["build", "--quiet", "--release", "--target", env!("HOST_TRIPLE"), "--bins"]);
    run_command(build.current_dir(root().join("fuzz")).env("RUSTFLAGS", COVERAGE))
}

fn fuzz(name: &str, seconds: u32, input: Option<&PathBuf>) -> anyhow::Result<()> {
    let fuzz = root().join("fuzz");
    let (corpus, artifacts) = (fuzz.join("corpus").join(name), fuzz.join("artifacts").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(fuzz.join("target").join(env!("HOST_TRIPLE")).join("release").join(name));
    if let Some(input) = input {
        return run_command(command.arg(input));
    }
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.args(["-print_final_stats=1", "-verbosity=0", "-timeout=10", "-rss_limit_mb=4096", "-max_len=16384"]);
    command.arg(&corpus);
    let seeds = fuzz.join("seeds").join(name);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    run_command(&mut command).with_context(|| format!("`{name}` has a finding; its input is in fuzz/artifacts/{name}"))
}
