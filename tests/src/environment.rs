//! How the client programs in Rust learn where to connect: the variables that libpq reads.

use std::path::PathBuf;

use anyhow::Context;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

/// A variable that must be set.
pub fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("the variable `{name}` is not set"))
}

/// TLS that trusts the authority in `PGSSLROOTCERT` alone.
pub fn tls() -> anyhow::Result<MakeRustlsConnect> {
    install_provider();
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(PathBuf::from(variable("PGSSLROOTCERT")?))?;
    roots.add(authority)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Makes aws-lc-rs the cryptography of this process.
pub fn install_provider() {
    // An error means that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
