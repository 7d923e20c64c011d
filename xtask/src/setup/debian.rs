//! System packages: looks for what a package provides, and asks apt-get only for what is missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use portcullis_testkit::servers::Account;

use crate::command::{find, run};

/// Something that a Debian package provides.
pub(super) struct Need {
    probe: Probe,
    package: &'static str,
}

enum Probe {
    Program(&'static str),
    File(&'static str),
    Library(&'static str),
    PythonModule(&'static str),
}

impl Need {
    /// A program in `PATH`, whoever put it there.
    pub(super) const fn program(name: &'static str, package: &'static str) -> Self {
        Self { probe: Probe::Program(name), package }
    }

    /// A file at a fixed place.
    pub(super) const fn file(path: &'static str, package: &'static str) -> Self {
        Self { probe: Probe::File(path), package }
    }

    /// A shared library of LLVM.
    pub(super) const fn library(name: &'static str, package: &'static str) -> Self {
        Self { probe: Probe::Library(name), package }
    }

    /// A module of the system's Python.
    pub(super) const fn python_module(name: &'static str, package: &'static str) -> Self {
        Self { probe: Probe::PythonModule(name), package }
    }

    fn is_met(&self) -> bool {
        match self.probe {
            Probe::Program(name) => find(name).is_some(),
            Probe::File(path) => Path::new(path).exists(),
            Probe::Library(name) => has_llvm_library(name),
            Probe::PythonModule(name) => {
                let mut python = Command::new("python3");
                python.args(["-c", &format!("import {name}")]).output().is_ok_and(|output| output.status.success())
            }
        }
    }
}

/// Installs the packages of all needs that are not met.
pub(super) fn ensure(needs: &[Need]) -> anyhow::Result<()> {
    let missing: BTreeSet<&str> = needs.iter().filter(|need| !need.is_met()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.iter().copied().collect::<Vec<_>>().join(" ");
    println!("setup: missing Debian packages: {list}");
    if find("apt-get").is_none() {
        bail!("there is no apt-get here; install by hand what Debian calls: {list}");
    }
    if !Account::is_root() {
        bail!("system packages need root; run: apt-get update && apt-get install --no-install-recommends -y {list}");
    }
    run(Command::new("apt-get").args(["-q", "update"]))?;
    let mut install = Command::new("apt-get");
    // At run level 1 packages start no daemon (invoke-rc.d asks for the level).
    install.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    run(install.args(["-q", "install", "--no-install-recommends", "-y"]).args(&missing))
        .with_context(|| format!("cannot install: {list}"))?;
    match needs.iter().find(|need| !need.is_met()) {
        Some(need) => bail!("package `{}` is installed, yet what it should bring is not there", need.package),
        None => Ok(()),
    }
}

fn has_llvm_library(name: &str) -> bool {
    let holds = |folder: &Path| {
        fs::read_dir(folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}.so")))
        })
    };
    let versions = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    versions
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"))
        .any(|entry| holds(&entry.path().join("lib")))
        || ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu"]
            .iter()
            .any(|folder| holds(Path::new(folder)))
}
