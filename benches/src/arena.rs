//! The parts that are compared, all in front of one PostgreSQL: plain and TLS on the client's leg,
//! plain on the leg to PostgreSQL.

use std::path::{Path, PathBuf};

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{
    Build, ClientLeg, Gate, GateConfig, GateTarget, Haproxy, PgBouncer, Policies, Postgres, Version,
};

/// Who stands between the client and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Between {
    Nobody,
    Haproxy,
    PgBouncer,
    Gate,
}

impl Between {
    pub(crate) const ALL: [Self; 4] = [Self::Nobody, Self::Haproxy, Self::PgBouncer, Self::Gate];
}

/// One way to PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub(crate) between: Between,
    pub(crate) port: u16,
    pub(crate) password: String,
    /// What to trust, where the client's leg has TLS.
    pub(crate) authority: Option<PathBuf>,
    /// TLS from the first byte, which is all that HAProxy can.
    pub(crate) direct_tls: bool,
}

/// Everything, running.
pub(crate) struct Arena {
    pub(crate) legs: Vec<Leg>,
    // Held so that they run; the gate goes first.
    _gate: Option<Gate>,
    _issuer: Issuer,
    _haproxies: [Haproxy; 2],
    _bouncers: [PgBouncer; 2],
    pub(crate) postgres: Postgres,
}

/// pgbench's scale: 100,000 accounts each.
const SCALE: u32 = 10;

impl Arena {
    pub(crate) fn start(with_gate: bool, rows: u32) -> anyhow::Result<Self> {
        let settings = [("max_connections", "300"), ("shared_buffers", "'512MB'"), ("max_wal_size", "'4GB'")];
        let postgres = Postgres::start_with(Version::V18, &settings)?;
        crate::pgbench::fill(&postgres, SCALE)?;
        crate::streams::fill(&postgres, rows)?;
        let authority = postgres.certificates().authority();
        let haproxies = [
            Haproxy::start(&postgres.address(), None)?,
            Haproxy::start(&postgres.address(), Some(postgres.certificates()))?,
        ];
        let bouncers = [PgBouncer::start(&postgres, ClientLeg::Plain)?, PgBouncer::start(&postgres, ClientLeg::Tls)?];
        let issuer = Issuer::start_blocking()?;
        let gate = if with_gate { Some(gate(&issuer, &postgres)?) } else { None };

        let leg = |between, port: u16, tls: Option<&Path>| Leg {
            between,
            port,
            password: Postgres::PASSWORD.to_owned(),
            authority: tls.map(Path::to_path_buf),
            direct_tls: false,
        };
        let [plain_haproxy, tls_haproxy] = &haproxies;
        let [plain_bouncer, tls_bouncer] = &bouncers;
        let mut legs = vec![
            leg(Between::Nobody, postgres.port(), None),
            leg(Between::Haproxy, plain_haproxy.port(), None),
            leg(Between::PgBouncer, plain_bouncer.port(), None),
            leg(Between::Nobody, postgres.port(), Some(&authority)),
            Leg { direct_tls: true, ..leg(Between::Haproxy, tls_haproxy.port(), Some(&authority)) },
            leg(Between::PgBouncer, tls_bouncer.port(), Some(&authority)),
        ];
        if let Some(gate) = &gate {
            let password = token(&issuer);
            let port = gate.port("shop")?;
            legs.push(Leg { password: password.clone(), ..leg(Between::Gate, port, None) });
            legs.push(Leg { password, ..leg(Between::Gate, port, Some(&gate.authority())) });
        }
        Ok(Self { legs, _gate: gate, _issuer: issuer, _haproxies: haproxies, _bouncers: bouncers, postgres })
    }
}

/// A token of an application that the policies permit to work.
pub(crate) fn token(issuer: &Issuer) -> String {
    issuer.mint(&Claims::new("app").groups(["apps"]))
}

/// The gate with policies and recording on, as it is shipped.
pub(crate) fn gate(issuer: &Issuer, postgres: &Postgres) -> anyhow::Result<Gate> {
    let target = GateTarget { authority: None, plaintext_login: true, ..GateTarget::shop(postgres) };
    let mut config = GateConfig::open(issuer.url(), vec![target]);
    config.policies = Policies::Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"));
    config.more = String::from("[limits]\nconnections_per_address = 5000\n");
    Gate::start(Build::Release, config)
}
