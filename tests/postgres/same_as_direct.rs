//! A client cannot tell the gate from its target: results, errors and notices are the same bytes.

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{Build, Gate, GateConfig, GateTarget, Postgres, Version};

use super::tour::{Endpoint, Tour};

/// Runs one client direct and through the gate on one PostgreSQL and compares the transcripts.
fn check(tour: Tour, version: Version) {
    let postgres = Postgres::start(version).unwrap();
    let issuer = Issuer::start_blocking().unwrap();
    let config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
    let gate = Gate::start(Build::Debug, config).unwrap();
    let direct = tour.run(&Endpoint::direct(&postgres)).unwrap();
    let gated = tour.run(&Endpoint::gate(&gate, issuer.mint(&Claims::new("tourist")))).unwrap();
    assert_same(&direct, &gated, tour, version);
}

fn assert_same(direct: &str, gated: &str, tour: Tour, version: Version) {
    if direct == gated {
        return;
    }
    let differing = direct.lines().zip(gated.lines()).position(|(direct, gated)| direct != gated);
    let line = differing.unwrap_or_else(|| direct.lines().count().min(gated.lines().count()));
    let show = |text: &str| {
        let around = text.lines().skip(line.saturating_sub(3)).take(7);
        around.map(|line| line.chars().take(400).collect::<String>()).collect::<Vec<_>>().join("\n")
    };
    let (direct, gated) = (show(direct), show(gated));
    panic!("{tour:?} on {version:?} differs in line {}\n--- direct\n{direct}\n--- gate\n{gated}", line + 1);
}

macro_rules! same {
    ($($name:ident: $tour:expr, $version:ident;)*) => {$(
        #[test]
        fn $name() {
            check($tour, Version::$version);
        }
    )*};
}

same! {
    psql_15_sees_postgres_15: Tour::Psql(Version::V15, "tour.sql"), V15;
    psql_15_sees_postgres_18: Tour::Psql(Version::V15, "tour.sql"), V18;
    psql_18_sees_postgres_15: Tour::Psql(Version::V18, "tour.sql"), V15;
    psql_18_sees_postgres_18: Tour::Psql(Version::V18, "tour.sql"), V18;
    psql_18_pipelines_on_postgres_15: Tour::Psql(Version::V18, "tour18.sql"), V15;
    psql_18_pipelines_on_postgres_18: Tour::Psql(Version::V18, "tour18.sql"), V18;
    psycopg_sees_postgres_15: Tour::Psycopg, V15;
    psycopg_sees_postgres_18: Tour::Psycopg, V18;
    asyncpg_sees_postgres_15: Tour::Asyncpg, V15;
    asyncpg_sees_postgres_18: Tour::Asyncpg, V18;
    tokio_postgres_sees_postgres_15: Tour::TokioPostgres, V15;
    tokio_postgres_sees_postgres_18: Tour::TokioPostgres, V18;
    sqlx_sees_postgres_15: Tour::Sqlx, V15;
    sqlx_sees_postgres_18: Tour::Sqlx, V18;
    node_postgres_sees_postgres_15: Tour::Node, V15;
    node_postgres_sees_postgres_18: Tour::Node, V18;
    pgx_sees_postgres_15: Tour::Pgx, V15;
    pgx_sees_postgres_18: Tour::Pgx, V18;
    pgjdbc_sees_postgres_15: Tour::Pgjdbc, V15;
    pgjdbc_sees_postgres_18: Tour::Pgjdbc, V18;
    pg_dump_15_reads_postgres_15: Tour::Dump(Version::V15), V15;
    pg_dump_18_reads_postgres_18: Tour::Dump(Version::V18), V18;
}
