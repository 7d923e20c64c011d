//! Data folders made once per PostgreSQL version and kept in the cache, to be copied for each use.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use super::postgres::Version;
use super::{Account, cache_folder};

/// Users and a database, created when the template is made. Roles have made-up passwords that
/// protect nothing: the servers listen on loopback and live for a test.
const SETUP: &str = "\
SET password_encryption = 'scram-sha-256';
ALTER ROLE postgres PASSWORD 'postgres-password';
CREATE ROLE app LOGIN PASSWORD 'app-password';
CREATE ROLE cert_user LOGIN;
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD 'md5-password';
CREATE DATABASE shop OWNER app;
";

/// Who may log in how: loopback with a password, `cert_user` with a certificate, the owner by the
/// Unix socket, which only the server's own folder leads to.
const ACCESS: &str = "\
local   all         all                        trust
hostssl all         cert_user  127.0.0.1/32    cert
hostssl all         cert_user  ::1/128         cert
host    all         md5_user   127.0.0.1/32    md5
host    all         all        127.0.0.1/32    scram-sha-256
host    all         all        ::1/128         scram-sha-256
host    replication all        127.0.0.1/32    scram-sha-256
";

const FIXED_SETTINGS: &str = "\
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 100
log_timezone = 'UTC'
timezone = 'UTC'
logging_collector = off
log_line_prefix = '%m [%p] '
";

/// Copies the template for `version` to `to`, making it first if the cache has none.
pub(super) fn copy(version: Version, bin: &Path, account: Account, to: &Path) -> anyhow::Result<()> {
    let template = template(version, bin, account)?;
    // `--reflink=auto` shares blocks where the file system can.
    let mut command = account.command("cp");
    run(command.args(["-a", "--reflink=auto"]).arg(&template).arg(to), "cannot copy the template")?;
    Ok(())
}

fn template(version: Version, bin: &Path, account: Account) -> anyhow::Result<PathBuf> {
    let folder = cache_folder().join("templates");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    account.own(&folder)?;
    let release = run(Command::new(bin.join("postgres")).arg("--version"), "cannot run postgres")?;
    let ready = folder.join(format!("postgres-{}-{:016x}", version.major(), key(&release)));
    if !ready.exists() {
        let making = tempfile::Builder::new().prefix("making-").tempdir_in(&folder)?;
        account.own(making.path())?;
        let data = making.path().join("data");
        make(bin, account, &data)?;
        // Another process may have been faster: its template is as good as ours.
        if let Err(error) = fs::rename(&data, &ready) {
            ensure!(ready.exists(), "cannot keep the template: {error}");
        }
    }
    Ok(ready)
}

/// A name for everything that a template depends on (FNV-1a; it need not resist anybody).
fn key(release: &str) -> u64 {
    let bytes = [release, SETUP, ACCESS, FIXED_SETTINGS].into_iter().flat_map(str::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn make(bin: &Path, account: Account, data: &Path) -> anyhow::Result<()> {
    let mut initdb = account.command(bin.join("initdb"));
    initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", "--auth=trust", "-D"]);
    run(initdb.arg(data), "initdb failed")?;
    fs::write(data.join("pg_hba.conf"), ACCESS)?;
    let mut settings = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
    settings.write_all(FIXED_SETTINGS.as_bytes())?;
    set_up(bin, account, data)
}

/// Runs [`SETUP`] in single-user mode, which needs no port.
fn set_up(bin: &Path, account: Account, data: &Path) -> anyhow::Result<()> {
    let mut single = account.command(bin.join("postgres"));
    single.args(["--single", "-D"]).arg(data).arg("postgres");
    let mut child = single.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("no standard input")?.write_all(SETUP.as_bytes())?;
    let output = child.wait_with_output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && !log.contains("ERROR:"), "the template's users were not created:\n{log}");
    Ok(())
}

fn run(command: &mut Command, complaint: &str) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| complaint.to_owned())?;
    if !output.status.success() {
        bail!("{complaint}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
