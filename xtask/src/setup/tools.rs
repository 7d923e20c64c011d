//! Cargo's own helpers, built from source into the cache.

use anyhow::Context;

use super::cached;
use crate::command::{cargo, output, run};

const CARGO_DENY: &str = "0.20.2";

pub(super) fn ensure_cargo_deny() -> anyhow::Result<()> {
    let root = cached("cargo")?;
    let program = root.join("bin/cargo-deny");
    let there = output(std::process::Command::new(&program).arg("--version"));
    if there.is_ok_and(|version| version.ends_with(CARGO_DENY)) {
        println!("setup: cargo-deny {CARGO_DENY} is there");
        return Ok(());
    }
    println!("setup: building cargo-deny {CARGO_DENY}; this takes some minutes, once");
    let mut install = cargo(["install", "--quiet", "--locked", "--no-default-features", "--version", CARGO_DENY]);
    // The checkout's configuration and target folder are not for it.
    install.current_dir(&root).arg("--root").arg(&root);
    run(install.arg("cargo-deny")).context("cargo-deny cannot be built")
}
