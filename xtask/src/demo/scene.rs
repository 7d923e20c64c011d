//! The parts of the demo, started and wired.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use portcullis_testkit::issuer::{Issuer, Person as IssuerPerson};
use portcullis_testkit::servers::{Build, Gate, GateConfig, GateTarget, Policies, Postgres, Version};

use super::people::{PEOPLE, Person};
use crate::command::root;

const SHOP: &str = include_str!("shop.sql");
/// The target's name in the gate's configuration and in the sample policies.
const TARGET: &str = "shop";
/// What is sensitive in the shop.
const MASKING: &str = r#"
[masking]
detect = ["email", "card"]

[[masking.column]]
match = "public.customers.email"
tag = "email"

[[masking.column]]
match = "public.customers.card"
tag = "card"

[masking.tags.card]
style = "partial"
keep = 4
"#;
/// What the web page and the command line are at the issuer.
const SIGN_IN: &str = r#"
sign_in = { client_id = "portcullis-page" }
command_line = { client_id = "portcullis" }
"#;
const ANSWER: Duration = Duration::from_secs(10);

/// A running demo.
pub(super) struct Scene {
    // Dropped in this order: the gate ends its sessions before their target goes away.
    pub(super) gate: Gate,
    pub(super) issuer: Issuer,
    pub(super) postgres: Postgres,
}

/// What psql said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) output: String,
    pub(super) errors: String,
    pub(super) code: Option<i32>,
}

/// Whether psql speaks TLS.
#[derive(Clone, Copy)]
pub(super) enum Tls {
    Verified,
    Never,
}

impl Scene {
    pub(super) fn start() -> anyhow::Result<Self> {
        let postgres = Postgres::start(Version::V15)?;
        postgres.sql_as_app(SHOP)?;
        let issuer = Issuer::start_blocking()?;
        let mut config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
        config.policies = Policies::Folder(root().join("deploy/policies"));
        config.more = MASKING.to_owned();
        config.identity = SIGN_IN.to_owned();
        for person in &PEOPLE {
            issuer.add_person(IssuerPerson { name: person.name.to_owned(), claims: person.claims() });
        }
        let gate = Gate::start(Build::Debug, config)?;
        Ok(Self { gate, issuer, postgres })
    }

    /// A line for a shell that logs `person` in.
    pub(super) fn login_line(&self, person: &Person) -> anyhow::Result<String> {
        let token = self.gate.config().with_file_name(format!("{}.token", person.name));
        fs::write(&token, self.issuer.mint(&person.claims()))?;
        let psql = self.postgres.program("psql");
        let (psql, token, address) = (psql.display(), token.display(), self.address(person.name, Tls::Verified)?);
        Ok(format!("PGPASSWORD=$(cat {token}) {psql} \"{address}\""))
    }

    /// The gate's binary.
    pub(super) fn binary(&self) -> String {
        self.gate.command(&[]).get_program().to_string_lossy().into_owned()
    }

    /// How a shell calls the gate's binary with this gate's configuration.
    pub(super) fn command_line(&self) -> String {
        format!("{} --config {}", self.binary(), self.gate.config().display())
    }

    /// How a shell says where the control API is, and that `person` asks there.
    pub(super) fn control_line(&self, person: &Person) -> String {
        let token = self.gate.config().with_file_name(format!("{}.token", person.name));
        let (url, authority) = (self.gate.control_url(), self.gate.authority());
        format!(
            "export PORTCULLIS_CONTROL={url} PORTCULLIS_CA={} PORTCULLIS_TOKEN=$(cat {})",
            authority.display(),
            token.display()
        )
    }

    /// Where Prometheus would look.
    pub(super) fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.gate.admin_port())
    }

    /// The metrics as text.
    pub(super) fn metrics(&self) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.gate.admin_port()))?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the metrics are no HTTP answer")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "the metrics answer with `{}`", head.lines().next().unwrap_or(""));
        Ok(body.to_owned())
    }

    /// Runs SQL through the gate as `name`, with `token` as the password, to the end of the text.
    pub(super) fn psql(&self, name: &str, token: &str, sql: &str) -> anyhow::Result<Said> {
        finish(self.begin(name, token, sql, Tls::Verified)?)
    }

    /// Starts psql, and hands it the whole text.
    pub(super) fn begin(&self, name: &str, token: &str, sql: &str, tls: Tls) -> anyhow::Result<Child> {
        let mut command = Command::new(self.postgres.program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose", "-d", &self.address(name, tls)?, "-f", "-"]);
        command.env("PGPASSWORD", token).env("PGCONNECT_TIMEOUT", "20");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().context("psql has no standard input")?;
        // psql that could not log in does not read; its own words say why.
        let _ = input.write_all(sql.as_bytes());
        Ok(child)
    }

    fn address(&self, user: &str, tls: Tls) -> anyhow::Result<String> {
        let (port, database) = (self.gate.port(TARGET)?, Postgres::DATABASE);
        let tls = match tls {
            Tls::Verified => format!("sslmode=verify-full sslrootcert={}", self.gate.authority().display()),
            Tls::Never => String::from("sslmode=disable"),
        };
        Ok(format!("host=localhost port={port} dbname={database} user={user} {tls}"))
    }
}

/// Waits for psql and takes what it said.
pub(super) fn finish(psql: Child) -> anyhow::Result<Said> {
    let output = psql.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(Said { output: text(&output.stdout), errors: text(&output.stderr), code: output.status.code() })
}
