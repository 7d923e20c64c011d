//! Everything that a comparison needs, started: PostgreSQL with pgbench's tables, and each way to it.
//!
//! It does not measure.

use std::process::Command;

use anyhow::{Context, ensure};
use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{
    Build, ClientLeg as BouncerLeg, Gate, GateConfig, GateTarget, Haproxy, PgBouncer, Policies, Postgres, Version,
};

use crate::leg::{ClientLeg, Leg, Way};
use crate::report::root;

/// A DBA of the sample policies; the token's subject and the name that clients log in with.
pub(crate) const PERSON: &str = "dba";
const GROUP: &str = "dba";
/// pgbench's scale at which `pgbench_accounts` has a million rows.
const MILLION_ROWS: &str = "10";

/// PostgreSQL behind everything that is compared.
pub(crate) struct Scene {
    // Dropped in this order: whoever stands in the middle goes before the target.
    pub(crate) gate: Gate,
    haproxy: Haproxy,
    haproxy_tls: Haproxy,
    bouncer: PgBouncer,
    bouncer_tls: PgBouncer,
    token: String,
    _issuer: Issuer,
    pub(crate) postgres: Postgres,
}

impl Scene {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let postgres = Postgres::start_with(Version::V18, &[("shared_buffers", "'512MB'")])?;
        fill(&postgres)?;
        let issuer = Issuer::start_blocking()?;
        let gate = start_gate(&issuer, &postgres)?;
        Ok(Self {
            gate,
            haproxy: Haproxy::start(&postgres.address(), None)?,
            haproxy_tls: Haproxy::start(&postgres.address(), Some(postgres.certificates()))?,
            bouncer: PgBouncer::start(&postgres, BouncerLeg::Plain)?,
            bouncer_tls: PgBouncer::start(&postgres, BouncerLeg::Tls)?,
            token: token(&issuer),
            _issuer: issuer,
            postgres,
        })
    }

    /// One of PostgreSQL's client programs, told to take this leg.
    pub(crate) fn client(&self, program: &str, leg: Leg) -> anyhow::Result<Command> {
        let mut command = Command::new(self.postgres.program(program));
        let (user, password) = match leg.way {
            Way::Gate => (PERSON, self.token.as_str()),
            Way::Direct | Way::Haproxy | Way::PgBouncer => (Postgres::USER, Postgres::PASSWORD),
        };
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port(leg)?.to_string());
        command.env("PGUSER", user).env("PGPASSWORD", password).env("PGDATABASE", Postgres::DATABASE);
        command.env("PGSSLMODE", if leg.client == ClientLeg::Tls { "require" } else { "disable" });
        if leg == (Leg { client: ClientLeg::Tls, way: Way::Haproxy }) {
            // HAProxy knows nothing of PostgreSQL's request for TLS.
            command.env("PGSSLNEGOTIATION", "direct");
        }
        Ok(command)
    }

    /// The process in the middle, if there is one.
    pub(crate) fn process(&self, leg: Leg) -> Option<u32> {
        match (leg.way, leg.client) {
            (Way::Direct, _) => None,
            (Way::Haproxy, ClientLeg::Plain) => Some(self.haproxy.process_id()),
            (Way::Haproxy, ClientLeg::Tls) => Some(self.haproxy_tls.process_id()),
            (Way::PgBouncer, ClientLeg::Plain) => Some(self.bouncer.process_id()),
            (Way::PgBouncer, ClientLeg::Tls) => Some(self.bouncer_tls.process_id()),
            (Way::Gate, _) => Some(self.gate.process_id()),
        }
    }

    fn port(&self, leg: Leg) -> anyhow::Result<u16> {
        Ok(match (leg.way, leg.client) {
            (Way::Direct, _) => self.postgres.port(),
            (Way::Haproxy, ClientLeg::Plain) => self.haproxy.port(),
            (Way::Haproxy, ClientLeg::Tls) => self.haproxy_tls.port(),
            (Way::PgBouncer, ClientLeg::Plain) => self.bouncer.port(),
            (Way::PgBouncer, ClientLeg::Tls) => self.bouncer_tls.port(),
            (Way::Gate, _) => self.gate.port("shop")?,
        })
    }
}

/// The shipped build of the gate with the sample policies, recording to disk, in front of `postgres`.
/// It serves clients with and without TLS; its leg to PostgreSQL is plain, as that of the others is.
pub(crate) fn start_gate(issuer: &Issuer, postgres: &Postgres) -> anyhow::Result<Gate> {
    start_gate_with(issuer, postgres, "")
}

/// The same with further tables of the configuration.
pub(crate) fn start_gate_with(issuer: &Issuer, postgres: &Postgres, more: &str) -> anyhow::Result<Gate> {
    let mut target = GateTarget::shop(postgres);
    target.address = postgres.address();
    target.authority = None;
    target.plaintext_login = true;
    let mut config = GateConfig::open(issuer.url(), vec![target]);
    config.policies = Policies::Folder(root().join("deploy/policies"));
    config.more = format!("[limits]\nconnections_per_address = 4000\n\n{more}");
    Gate::start(Build::Release, config)
}

/// A token for [`PERSON`].
pub(crate) fn token(issuer: &Issuer) -> String {
    token_of(issuer, PERSON)
}

/// A token for another of the DBAs.
pub(crate) fn token_of(issuer: &Issuer, person: &str) -> String {
    issuer.mint(&Claims::new(person).groups([GROUP]).lifetime(std::time::Duration::from_secs(8 * 3600)))
}

fn fill(postgres: &Postgres) -> anyhow::Result<()> {
    let mut command = Command::new(postgres.program("pgbench"));
    command.args(["-i", "-q", "-s", MILLION_ROWS, "-U", Postgres::USER, "-p", &postgres.port().to_string(), "-h"]);
    command.arg(postgres.socket_folder()).arg(Postgres::DATABASE);
    let output = command.output().context("cannot run pgbench")?;
    ensure!(output.status.success(), "pgbench -i failed: {}", String::from_utf8_lossy(&output.stderr));
    postgres.sql("vacuum analyze; checkpoint;")?;
    Ok(())
}
