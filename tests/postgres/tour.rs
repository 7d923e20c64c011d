//! The client programs: how each is started, and what it prints.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use portcullis_testkit::servers::{Gate, Postgres, Version, cache_folder, need};

/// How long a client may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where a client connects, always with TLS and a verified name.
pub(super) struct Endpoint {
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) authority: PathBuf,
}

impl Endpoint {
    /// Straight to PostgreSQL.
    pub(super) fn direct(postgres: &Postgres) -> Self {
        Self {
            port: postgres.port(),
            user: Postgres::USER.to_owned(),
            password: Postgres::PASSWORD.to_owned(),
            authority: postgres.certificates().authority(),
        }
    }

    /// Through the gate to its target `shop`, with a token as password.
    pub(super) fn gate(gate: &Gate, token: String) -> Self {
        Self {
            port: gate.port("shop").unwrap(),
            user: Postgres::USER.to_owned(),
            password: token,
            authority: gate.authority(),
        }
    }

    /// Sets the variables that libpq, and by custom every other driver, reads.
    pub(super) fn apply(&self, command: &mut Command) {
        command.env("PGHOST", "localhost").env("PGHOSTADDR", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGUSER", &self.user).env("PGPASSWORD", &self.password).env("PGDATABASE", Postgres::DATABASE);
        command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", &self.authority);
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").env("PGTZ", "UTC");
    }
}

/// A client program and its script.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tour {
    Psql(Version, &'static str),
    Psycopg,
    Asyncpg,
    TokioPostgres,
    Sqlx,
    Node,
    Pgx,
    Pgjdbc,
    Dump(Version),
}

impl Tour {
    /// Runs the client and returns both its outputs, in order. A failing client is an error.
    pub(super) fn run(self, endpoint: &Endpoint) -> anyhow::Result<String> {
        let work = tempfile::tempdir()?;
        let mut command = self.command(work.path())?;
        endpoint.apply(&mut command);
        let path = work.path().join("transcript");
        let output = File::create(&path)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut child = command.spawn().with_context(|| format!("cannot start {self:?}"))?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                child.kill()?;
                bail!("{self:?} hangs after:\n{}", tail(&fs::read(&path)?));
            }
            sleep(Duration::from_millis(20));
        };
        let transcript = fs::read(&path)?;
        ensure!(status.success(), "{self:?} ended with {status}:\n{}", tail(&transcript));
        Ok(without_process_ids(&String::from_utf8_lossy(&transcript)))
    }

    fn command(self, work: &Path) -> anyhow::Result<Command> {
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients");
        let cache = cache_folder();
        let command = match self {
            Self::Psql(version, script) => {
                let mut psql = Command::new(version.programs()?.join("psql"));
                psql.args(["-X", "-a", "-f"]).arg(clients.join("psql").join(script));
                psql
            }
            Self::Psycopg => script(cache.join("python/bin/python"), clients.join("psycopg_tour.py"))?,
            Self::Asyncpg => script(cache.join("python/bin/python"), clients.join("asyncpg_tour.py"))?,
            Self::TokioPostgres => Command::new(env!("CARGO_BIN_EXE_tour-tokio-postgres")),
            Self::Sqlx => Command::new(env!("CARGO_BIN_EXE_tour-sqlx")),
            Self::Node => {
                need(cache.join("node/node_modules/pg"), "drivers")?;
                let mut node = Command::new("node");
                node.arg(clients.join("node/tour.js")).env("NODE_PATH", cache.join("node/node_modules"));
                node.env("NODE_NO_WARNINGS", "1");
                node
            }
            Self::Pgx => Command::new(need(cache.join("bin/tour-pgx"), "drivers")?),
            Self::Pgjdbc => {
                let mut java = Command::new("java");
                java.arg("-cp").arg(need(cache.join("java/postgresql.jar"), "drivers")?);
                java.arg(clients.join("pgjdbc/Tour.java"));
                java
            }
            Self::Dump(version) => {
                let mut shell = Command::new(clients.join("dump/tour.sh"));
                shell.arg(version.programs()?).arg(work);
                shell
            }
        };
        Ok(command)
    }
}

/// psql says the notifying backend's process id, which is another in every connection.
fn without_process_ids(transcript: &str) -> String {
    let mut lines = String::with_capacity(transcript.len());
    for line in transcript.split_inclusive('\n') {
        match line.split_once("received from server process with PID ") {
            Some((before, _)) => lines.extend([before, "received\n"]),
            None => lines.push_str(line),
        }
    }
    lines
}

fn script(program: PathBuf, script: PathBuf) -> anyhow::Result<Command> {
    let mut command = Command::new(need(program, "drivers")?);
    command.arg(script).env("PYTHONUTF8", "1");
    Ok(command)
}

fn tail(transcript: &[u8]) -> String {
    let text = String::from_utf8_lossy(transcript);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
