//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use portcullis_testkit::servers::Version;

/// Date, machine and versions, a line each.
pub(crate) fn describe() -> anyhow::Result<Vec<String>> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    Ok(vec![
        format!("Date: {}", said(Command::new("date").args(["-u", "+%F"]))?),
        format!("Machine: {}, {cores} cores, {} GiB", model.unwrap_or("unknown processor"), kib >> 20),
        format!("Kernel: {}", said(Command::new("uname").arg("-sr"))?),
        said(Command::new(Version::V18.programs()?.join("postgres")).arg("--version"))?,
        said(Command::new("/usr/sbin/haproxy").arg("-v"))?,
        said(Command::new("/usr/sbin/pgbouncer").arg("--version"))?,
        said(Command::new("rustc").arg("--version"))?,
    ])
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the process has no memory")?;
    let kib: u64 = line.split_whitespace().next().context("no figure")?.parse()?;
    Ok(kib << 10)
}
