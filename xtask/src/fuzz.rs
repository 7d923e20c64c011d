//! `fuzz`: runs the fuzz targets with libFuzzer.
//!
//! The coverage that libFuzzer steers by is a pass of LLVM which the pinned stable compiler has
//! too, so neither a nightly compiler nor cargo-fuzz is needed; both work as well.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::command::{cargo, root, run as run_command};
use crate::setup::{self, Part};

/// Run the fuzz targets: all of them in turn, or one.
///
/// Each begins with the inputs in fuzz/corpus/TARGET, and with what earlier runs on this machine
/// kept in fuzz/found/TARGET. A finding is kept in fuzz/artifacts/TARGET; to run it again:
/// `cargo xtask fuzz TARGET --input FILE`. Its bytes go into fuzz/corpus/TARGET with the fix.
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

/// What cargo-fuzz passes too: edge counters, compared values, and the code they belong to.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// An input that takes longer, in seconds, or more memory, in MiB, is a finding.
const LIMITS: [&str; 3] = ["-timeout=25", "-rss_limit_mb=4096", "-max_len=8192"];
/// How much of the log a finding shows.
const LOG_TAIL_LINES: usize = 40;

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Build, Part::Fuzz])?;
    let targets = targets()?;
    let is_chosen = |name: &&Target| options.target.as_ref().is_none_or(|only| *only == name.name);
    let chosen: Vec<&Target> = targets.iter().filter(is_chosen).collect();
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    ensure!(!chosen.is_empty(), "there is no such target; there are: {}", names.join(", "));
    build()?;
    if let (Some(input), [target]) = (&options.input, chosen.as_slice()) {
        // The programs run elsewhere than this one was called.
        return run_command(target.program().arg(input.canonicalize().context("cannot find the input")?));
    }
    let seconds = if options.smoke { SMOKE_SECONDS } else { options.seconds };
    let searched: Vec<bool> = chosen.iter().map(|target| target.search(seconds)).collect::<anyhow::Result<_>>()?;
    let findings = searched.iter().filter(|clean| !**clean).count();
    ensure!(findings == 0, "{findings} of {} targets have a finding", chosen.len());
    println!("fuzz: {} targets without a finding", chosen.len());
    Ok(())
}

/// One fuzz target.
struct Target {
    name: String,
}

fn fuzz() -> PathBuf {
    root().join("fuzz")
}

fn targets() -> anyhow::Result<Vec<Target>> {
    let folder = fuzz().join("fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names.into_iter().map(|name| Target { name }).collect())
}

/// With a `--target`, so that the flags do not reach build scripts and procedural macros.
fn build() -> anyhow::Result<()> {
    let mut build = cargo(["build", "--release", "--locked", "--target", env!("HOST_TRIPLE"), "--bins"]);
    run_command(build.current_dir(fuzz()).env("RUSTFLAGS", COVERAGE))
}

impl Target {
    fn program(&self) -> Command {
        Command::new(fuzz().join("target").join(env!("HOST_TRIPLE")).join("release").join(&self.name))
    }

    /// A folder of this target's own.
    fn folder(&self, of: &str) -> anyhow::Result<PathBuf> {
        let folder = fuzz().join(of).join(&self.name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        Ok(folder)
    }

    /// Searches for so long; says whether nothing was found, and if something was, how to see it.
    fn search(&self, seconds: u32) -> anyhow::Result<bool> {
        let (artifacts, found) = (self.folder("artifacts")?, self.folder("found")?);
        let log = fuzz().join("found").join(format!("{}.log", self.name));
        let mut command = self.program();
        command.args(LIMITS).arg("-print_final_stats=1");
        command.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
        command.arg(&found).arg(self.folder("corpus")?);
        let written = File::create(&log)?;
        let status = command.stdout(written.try_clone()?).stderr(written).status();
        let status = status.with_context(|| format!("cannot run fuzz target `{}`", self.name))?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        if status.success() {
            println!("ok {}: {} inputs in {seconds} s", self.name, executed(&said)?);
            return Ok(true);
        }
        println!("FAIL {}: {status}; the log {} ends:\n{}", self.name, log.display(), tail(&said));
        println!("to see it again: cargo xtask fuzz {} --input {}", self.name, artifact(&said, &artifacts));
        Ok(false)
    }
}

/// How many inputs were run. A search that ran none has searched nothing.
fn executed(log: &str) -> anyhow::Result<u64> {
    let count = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    match count.and_then(|count| count.trim().parse().ok()) {
        Some(count) if count > 0 => Ok(count),
        _ => bail!("the fuzz target ran nothing:\n{}", tail(log)),
    }
}

/// The file that holds the finding, as libFuzzer says.
fn artifact(log: &str, folder: &Path) -> String {
    let named = log.lines().find_map(|line| line.split_once("Test unit written to "));
    named.map_or_else(|| format!("{}/…", folder.display()), |(_, file)| file.trim().to_owned())
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(LOG_TAIL_LINES)).copied().collect::<Vec<_>>().join("\n")
}
