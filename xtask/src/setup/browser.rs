//! What browser tests need from npm, into the cache: a driver for Chromium, a checker of accessibility
//! and a certified OIDC provider. Their versions stand in tests/browser.

use std::fs;
use std::process::Command;

use super::cached;
use super::drivers::once;
use crate::command::{root, run};

pub(super) fn ensure() -> anyhow::Result<()> {
    let home = cached("browser")?;
    let packages = root().join("tests/browser");
    once(
        &home.join("lock.installed"),
        &packages.join("package-lock.json"),
        "browser's driver and OIDC provider",
        || {
            for file in ["package.json", "package-lock.json"] {
                fs::copy(packages.join(file), home.join(file))?;
            }
            run(Command::new("npm").current_dir(&home).args(["ci", "--silent", "--no-audit", "--no-fund"]))
        },
    )
}
