//! The parts of the demo, started and wired.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::Context;
use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{Build, Gate, GateConfig, GateTarget, Policies, Postgres, Version};

use super::people::Person;
use crate::command::root;

const SHOP: &str = include_str!("shop.sql");

/// A running demo.
pub(super) struct Scene {
    // Dropped in this order: the gate ends its sessions before their target goes away.
    pub(super) gate: Gate,
    pub(super) issuer: Issuer,
    pub(super) postgres: Postgres,
}

/// What psql said.
pub(super) struct Said {
    pub(super) output: String,
    pub(super) errors: String,
}

impl Scene {
    pub(super) fn start() -> anyhow::Result<Self> {
        let postgres = Postgres::start(Version::V15)?;
        postgres.sql_as_app(SHOP)?;
        let issuer = Issuer::start_blocking()?;
        let mut config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
        config.policies = Policies::Folder(root().join("deploy/policies"));
        let gate = Gate::start(Build::Debug, config)?;
        Ok(Self { gate, issuer, postgres })
    }

    /// A line for a shell that logs `person` in.
    pub(super) fn login_line(&self, person: &Person) -> anyhow::Result<String> {
        let token = self.gate.recordings().with_file_name(format!("{}.token", person.name));
        fs::write(&token, self.issuer.mint(&person.claims()))?;
        let psql = self.postgres.program("psql");
        let (psql, token, target) = (psql.display(), token.display(), self.address(person.name)?);
        Ok(format!("PGPASSWORD=$(cat {token}) {psql} \"{target}\""))
    }

    /// The binary and the configuration file, as text for a shell.
    pub(super) fn binary_and_config(&self) -> (String, String) {
        let command = self.gate.command(&[]);
        (command.get_program().to_string_lossy().into_owned(), self.gate.config().display().to_string())
    }

    /// Runs SQL through the gate as `name`, with a token of these claims, until the end of the text.
    pub(super) fn psql(&self, name: &str, claims: &Claims, sql: &str) -> anyhow::Result<Said> {
        let mut command = Command::new(self.postgres.program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose", "-d", &self.address(name)?, "-f", "-"]);
        command.env("PGPASSWORD", self.issuer.mint(claims)).env("PGCONNECT_TIMEOUT", "20");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().context("psql has no standard input")?;
        // psql that could not log in does not read; its own words say why.
        let _ = std::io::Write::write_all(&mut input, sql.as_bytes());
        drop(input);
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok(Said { output: text(&output.stdout), errors: text(&output.stderr) })
    }

    fn address(&self, user: &str) -> anyhow::Result<String> {
        let (port, authority) = (self.gate.port("shop")?, self.gate.authority());
        let database = Postgres::DATABASE;
        Ok(format!(
            "host=localhost port={port} dbname={database} user={user} sslmode=verify-full sslrootcert={}",
            authority.display()
        ))
    }
}
