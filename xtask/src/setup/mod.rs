//! `setup`: installs what tests, demo and benches need, says what it does, is safe to repeat.
//!
//! Here is only which part needs which step; the steps know how.

mod browser;
mod debian;
mod drivers;
mod postgres;
mod suite;
mod tools;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use portcullis_testkit::servers::cache_folder;

use debian::Need;

/// Install what the tests, the demo and the benches need; safe to repeat.
///
/// System packages come from Debian by apt-get, which runs only when one is missing and needs
/// root. Everything else goes into a cache folder: `$PORTCULLIS_CACHE`, or ~/.cache/portcullis, or
/// /var/cache/portcullis for root. The other commands call this for the parts they need.
#[derive(Args)]
pub(crate) struct Options {
    /// Only these parts (repeat, or separate by commas). All of them by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// What can be installed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Part {
    /// libclang and clang, which PostgreSQL's grammar needs to build.
    Build,
    /// PostgreSQL 15 (Debian) with its clients, which is all that the demo runs.
    Demo,
    /// PostgreSQL 15 (Debian) and 18 (PyPI), with their clients.
    Postgres,
    /// OpenSSH's server and clients, sshpass, rsync and git (Debian).
    Ssh,
    /// Client drivers: Python, Node.js, Go and Java.
    Drivers,
    /// psql 18 with the OAuth device flow, from Debian unstable, in a folder of its own.
    Oauth,
    /// Chromium with its driver, and a certified OIDC provider.
    Browser,
    /// HAProxy and PgBouncer, to compare with.
    Bench,
    /// cargo-deny, built from source into the cache.
    Deny,
    /// A C++ compiler for libFuzzer.
    Fuzz,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let parts = if options.only.is_empty() { Part::value_variants() } else { &options.only };
    println!("setup: cache folder {}", cache_folder().display());
    ensure(parts)?;
    println!("setup: complete");
    Ok(())
}

/// Installs what is missing of `parts`.
pub(crate) fn ensure(parts: &[Part]) -> anyhow::Result<()> {
    let needs: Vec<Need> = parts.iter().copied().flat_map(debian_packages).collect();
    debian::ensure(&needs)?;
    parts.iter().copied().try_for_each(install).context("setup is incomplete")
}

fn debian_packages(part: Part) -> Vec<Need> {
    match part {
        Part::Build => {
            vec![Need::program("cc", "gcc"), Need::library("libclang", "libclang-dev"), Need::program("clang", "clang")]
        }
        Part::Demo => postgres_15(),
        Part::Postgres => {
            let python = [Need::program("python3", "python3"), Need::python_module("ensurepip", "python3-venv")];
            postgres_15().into_iter().chain(python).collect()
        }
        Part::Ssh => vec![
            Need::file("/usr/sbin/sshd", "openssh-server"),
            Need::program("ssh", "openssh-client"),
            Need::program("sshpass", "sshpass"),
            Need::program("rsync", "rsync"),
            Need::program("git", "git"),
            Need::program("script", "bsdutils"),
        ],
        Part::Drivers => vec![
            Need::program("python3", "python3"),
            Need::python_module("ensurepip", "python3-venv"),
            Need::program("node", "nodejs"),
            Need::program("npm", "npm"),
            Need::program("java", "default-jdk-headless"),
            Need::program("mvn", "maven"),
        ],
        Part::Oauth => vec![Need::program("dpkg", "dpkg")],
        Part::Browser => {
            vec![Need::program("node", "nodejs"), Need::program("npm", "npm"), Need::program("chromium", "chromium")]
        }
        Part::Bench => vec![Need::program("haproxy", "haproxy"), Need::program("pgbouncer", "pgbouncer")],
        Part::Deny => vec![Need::program("cc", "gcc")],
        Part::Fuzz => vec![Need::program("c++", "g++")],
    }
}

fn postgres_15() -> Vec<Need> {
    vec![Need::file("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"), Need::program("setpriv", "util-linux")]
}

fn install(part: Part) -> anyhow::Result<()> {
    match part {
        Part::Build | Part::Demo | Part::Ssh | Part::Bench | Part::Fuzz => Ok(()),
        Part::Postgres => postgres::ensure(),
        Part::Drivers => drivers::ensure(),
        Part::Oauth => suite::ensure_psql_with_oauth(),
        Part::Browser => browser::ensure().context("the browser's driver cannot be had"),
        Part::Deny => tools::ensure_cargo_deny(),
    }
}

/// A folder inside the cache, created if need be.
fn cached(name: &str) -> anyhow::Result<PathBuf> {
    let folder = cache_folder().join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    Ok(folder)
}
