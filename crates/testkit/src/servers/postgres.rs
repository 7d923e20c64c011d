//! A real PostgreSQL of version 15 or 18 with TLS, three kinds of login and a Unix socket.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Account, Certificates, Process, cache_folder, free_port, need, template};

/// Starts tried before giving up: the free port may be taken by another process in between.
const TRIES: u32 = 3;

/// Which PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// PostgreSQL 15, a Debian package.
    V15,
    /// PostgreSQL 18, from the cache folder.
    V18,
}

impl Version {
    /// Every version that tests run on.
    pub const ALL: [Self; 2] = [Self::V15, Self::V18];

    /// The major version's number.
    pub const fn major(self) -> u32 {
        match self {
            Self::V15 => 15,
            Self::V18 => 18,
        }
    }

    /// The folder of its programs, or an error that names the command which installs them.
    pub fn programs(self) -> anyhow::Result<PathBuf> {
        let folder = match self {
            Self::V15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
            Self::V18 => cache_folder().join("postgresql-18/bin"),
        };
        need(folder.join("postgres"), "postgres")?;
        Ok(folder)
    }
}

/// A running PostgreSQL with an empty database `shop`, owned by `app`. Dropping it stops it and
/// removes its data.
#[derive(Debug)]
pub struct Postgres {
    // Dropped in this order: first the process, then its files.
    process: Process,
    folder: TempDir,
    programs: PathBuf,
    certificates: Certificates,
    port: u16,
}

impl Postgres {
    /// The owner of the database `shop`; logs in by SCRAM.
    pub const USER: &'static str = "app";
    /// The password of [`Self::USER`].
    pub const PASSWORD: &'static str = "app-password";
    /// A user that logs in by md5, and its password.
    pub const MD5_USER: (&'static str, &'static str) = ("md5_user", "md5-password");
    /// The superuser, and its password.
    pub const OWNER: (&'static str, &'static str) = ("postgres", "postgres-password");
    /// A user that logs in by client certificate.
    pub const CERTIFICATE_USER: &'static str = "cert_user";
    /// The database's name.
    pub const DATABASE: &'static str = "shop";

    /// Starts one with a fresh data folder.
    pub fn start(version: Version) -> anyhow::Result<Self> {
        Self::start_with(version, &[])
    }

    /// Starts one with further settings of `postgresql.conf`, for instance
    /// `("log_statement", "'all'")`.
    pub fn start_with(version: Version, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let programs = version.programs()?;
        let account = Account::for_servers()?;
        let folder = tempfile::Builder::new().prefix("portcullis-pg-").tempdir()?;
        account.own(folder.path())?;
        let certificates = Certificates::make(&folder.path().join("tls"), Self::CERTIFICATE_USER, account)?;
        let data = folder.path().join("data");
        template::copy(version, &programs, account, &data)?;
        write_settings(&data, folder.path(), &certificates, settings)?;
        let (process, port) = launch(&programs, account, folder.path(), &data)?;
        Ok(Self { process, folder, programs, certificates, port })
    }

    /// The port on 127.0.0.1 and in the Unix socket's name.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder of the Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its certificates.
    pub const fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// One of its own programs, such as `psql` or `pgbench`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The id of the postmaster.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Runs SQL as the superuser over the Unix socket, stops at the first error, and returns what
    /// psql prints, unaligned and without headers.
    pub fn sql(&self, text: &str) -> anyhow::Result<String> {
        let output = self.psql(text, "postgres")?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "psql failed: {errors}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs SQL as [`Self::USER`] over the Unix socket, as [`Self::sql`] does.
    pub fn sql_as_app(&self, text: &str) -> anyhow::Result<String> {
        let output = self.psql(text, Self::USER)?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "psql failed: {errors}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn psql(&self, text: &str, user: &str) -> anyhow::Result<Output> {
        let mut command = Command::new(self.program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", Self::DATABASE]);
        command.arg("-h").arg(self.socket_folder()).arg("-p").arg(self.port.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        child.stdin.take().context("psql has no standard input")?.write_all(text.as_bytes())?;
        Ok(child.wait_with_output()?)
    }

    /// Stops it as `systemctl stop` would: clients are cut off, data is kept until the drop.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop()?;
        Ok(())
    }
}

fn write_settings(
    data: &Path,
    socket: &Path,
    certificates: &Certificates,
    settings: &[(&str, &str)],
) -> anyhow::Result<()> {
    let mut file = File::options().append(true).open(data.join("postgresql.conf"))?;
    writeln!(file, "listen_addresses = '127.0.0.1'")?;
    writeln!(file, "unix_socket_directories = '{}'", socket.display())?;
    writeln!(file, "ssl = on")?;
    writeln!(file, "ssl_cert_file = '{}'", certificates.certificate().display())?;
    writeln!(file, "ssl_key_file = '{}'", certificates.key().display())?;
    writeln!(file, "ssl_ca_file = '{}'", certificates.authority().display())?;
    for (name, value) in settings {
        writeln!(file, "{name} = {value}")?;
    }
    Ok(())
}

fn launch(programs: &Path, account: Account, folder: &Path, data: &Path) -> anyhow::Result<(Process, u16)> {
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        let log = folder.join("log");
        let mut command = account.command(programs.join("postgres"));
        command.arg("-D").arg(data).args(["-p", &port.to_string()]);
        // SIGINT is PostgreSQL's fast shutdown.
        let mut process = Process::start("postgres", command, &log, Signal::INT)?;
        let ready = |log: &Path| fs::read_to_string(log).is_ok_and(|text| text.contains("ready to accept connections"));
        match process.wait_until(|| ready(&log)) {
            Ok(()) => return Ok((process, port)),
            Err(error) if attempt < TRIES && error.to_string().contains("Address already in use") => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version) {
        let postgres = Postgres::start(version).unwrap();
        let shown = postgres.sql("SHOW server_version").unwrap();
        assert!(shown.starts_with(&version.major().to_string()), "{shown}");
        let mut psql = Command::new(postgres.program("psql"));
        psql.args(["-XAtq", "-c", "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"]);
        psql.env("PGHOST", "localhost").env("PGHOSTADDR", "127.0.0.1").env("PGPORT", postgres.port().to_string());
        psql.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", postgres.certificates().authority());
        psql.env("PGUSER", Postgres::USER).env("PGPASSWORD", Postgres::PASSWORD).env("PGDATABASE", Postgres::DATABASE);
        let output = psql.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "app|t\n", "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn postgres_15_answers_over_tls() {
        check(Version::V15);
    }

    #[test]
    fn postgres_18_answers_over_tls() {
        check(Version::V18);
    }
}
