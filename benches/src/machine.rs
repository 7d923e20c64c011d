//! Where and with what the figures were measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::Context;
use portcullis_testkit::servers::{Gate, Postgres};

use crate::report::root;

/// Date, machine and versions, as lines of Markdown.
pub(crate) fn describe(gate: &Gate, postgres: &Postgres) -> anyhow::Result<String> {
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    let gate = first_line(Command::new(gate.command(&[]).get_program()).arg("--version"))?;
    let commit = first_line(Command::new("git").current_dir(root()).args(["describe", "--always", "--dirty"]))
        .unwrap_or_else(|_| String::from("unknown"));
    let versions = [
        format!("{gate} (commit {commit}, release build)"),
        first_line(Command::new(postgres.program("postgres")).arg("--version"))?,
        first_line(Command::new("/usr/sbin/haproxy").arg("-v"))?,
        first_line(Command::new("/usr/sbin/pgbouncer").arg("--version"))?,
    ];
    Ok(format!("{date}; {}.\n\n{}.", machine()?, versions.join("; ")))
}

/// The load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load_average() -> anyhow::Result<String> {
    Ok(read("/proc/loadavg")?.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

fn machine() -> anyhow::Result<String> {
    let processor = after(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| String::from("unknown processor"));
    let memory = after(&read("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let kibibytes = memory.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let cores = available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease")?;
    Ok(format!("{processor}, {cores} cores, {} GiB of memory, Linux {}", kibibytes / 1024 / 1024, kernel.trim()))
}

/// The value of the first line `name : value`.
fn after(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

fn read(path: impl AsRef<Path>) -> anyhow::Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn first_line(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run `{}`", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next().context("a program that does not say its version")?;
    Ok(line.trim().to_owned())
}
