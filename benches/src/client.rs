//! Connections of our own, for what pgbench cannot do.

use std::time::Duration;

use anyhow::Context;
use portcullis_testkit::servers::Postgres;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::arena::Leg;

const PATIENCE: Duration = Duration::from_secs(60);

/// Connects on this leg. The connection's own work is a task of the current runtime.
pub(crate) async fn connect(leg: &Leg) -> anyhow::Result<Client> {
    let mut config = Config::new();
    config.host("localhost").port(leg.port).user(Postgres::USER).password(&leg.password);
    config.dbname(Postgres::DATABASE).connect_timeout(PATIENCE);
    let Some(authority) = &leg.authority else {
        let (client, connection) = config.ssl_mode(SslMode::Disable).connect(NoTls).await?;
        tokio::spawn(connection);
        return Ok(client);
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).context("cannot read the authority")?)?;
    let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    if leg.direct_tls {
        config.ssl_negotiation(SslNegotiation::Direct);
        tls.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    let (client, connection) = config.ssl_mode(SslMode::Require).connect(MakeRustlsConnect::new(tls)).await?;
    tokio::spawn(connection);
    Ok(client)
}
