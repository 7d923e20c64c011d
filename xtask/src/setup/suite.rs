//! Programs of another Debian suite, in a folder of their own: the system's packages stay as they are.
//!
//! apt-get gets a state of its own with nothing installed, so that it brings every library down to
//! libc; dpkg unpacks them side by side, and the folder's own loader runs the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::cached;
use crate::command::{find, output, run};

const ARCHIVE: &str =
    "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main\n";
const PACKAGES: [&str; 2] = ["postgresql-client-18", "libpq-oauth"];

pub(super) fn ensure_psql_with_oauth() -> anyhow::Result<()> {
    let home = cached("psql-oauth")?;
    let program = home.join("psql");
    if is_right(&program) {
        println!("setup: psql 18 with OAuth is there");
        return Ok(());
    }
    if find("apt-get").is_none() {
        bail!("there is no apt-get here, so psql 18 with OAuth cannot be had");
    }
    println!("setup: getting psql 18 with OAuth from Debian unstable");
    let settings = private_state(&home.join("apt"))?;
    run(apt(&settings).arg("update"))?;
    run(apt(&settings).args(["-y", "install", "--download-only"]).args(PACKAGES))?;
    let root = home.join("root");
    for archive in fs::read_dir(home.join("apt/cache/archives"))?.flatten().map(|entry| entry.path()) {
        if archive.extension().is_some_and(|extension| extension == "deb") {
            output(Command::new("dpkg").arg("-x").arg(&archive).arg(&root))?;
        }
    }
    fs::remove_dir_all(home.join("apt"))?;
    write_program(&program, &root)?;
    ensure!(is_right(&program), "psql from Debian unstable does not run, or is no longer version 18");
    Ok(())
}

fn is_right(program: &Path) -> bool {
    output(Command::new(program).arg("--version")).is_ok_and(|version| version.contains("(PostgreSQL) 18."))
}

/// Makes an empty package state and returns the file that tells apt-get of it.
fn private_state(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    for inner in ["state/lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/apt.conf.d"] {
        fs::create_dir_all(folder.join(inner))?;
    }
    fs::write(folder.join("state/status"), "")?;
    fs::write(folder.join("etc/sources.list"), ARCHIVE)?;
    let at = folder.display();
    // The suite moves daily; a mirror that lags behind is as good, its signature still counts.
    let text = format!(
        "Dir::State \"{at}/state\";\nDir::State::status \"{at}/state/status\";\nDir::Cache \"{at}/cache\";\n\
         Dir::Etc \"{at}/etc\";\nDir::Etc::sourcelist \"{at}/etc/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
         Acquire::Languages \"none\";\nAcquire::Check-Valid-Until \"false\";\nAPT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"root\";\n"
    );
    let settings = folder.join("apt.conf");
    fs::write(&settings, text).context("cannot write the settings of apt-get")?;
    Ok(settings)
}

fn apt(settings: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command.env("APT_CONFIG", settings).arg("-qq");
    command
}

/// A script that runs psql with the folder's own loader and libraries.
fn write_program(program: &Path, root: &Path) -> anyhow::Result<()> {
    let loader = root.join("usr/lib64/ld-linux-x86-64.so.2");
    ensure!(loader.exists(), "the unpacked packages bring no loader");
    let (loader, root) = (loader.display(), root.display());
    let script = format!(
        "#!/bin/sh\nexec '{loader}' --library-path '{root}/usr/lib/x86_64-linux-gnu' \\\n  \
         '{root}/usr/lib/postgresql/18/bin/psql' \"$@\"\n"
    );
    fs::write(program, script)?;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
