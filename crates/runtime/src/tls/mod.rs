//! TLS on both legs, as core's `Acceptor` and `Connector`: rustls with aws-lc-rs.
//!
//! It knows certificates and sockets, and no protocol: when a handshake happens is the protocol's
//! decision.

mod by_alpn;
mod certificate;
mod clients;
mod pem;
mod targets;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use clients::ClientLeg;
pub use targets::TargetLeg;

/// Why TLS cannot be set up as configured. It names the file or the key at fault.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

/// Makes aws-lc-rs the process's cryptography. Call it once, first thing in `main`; a second call
/// changes nothing.
pub fn install_provider() {
    // An error means that one is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn provider() -> Arc<CryptoProvider> {
    match CryptoProvider::get_default() {
        Some(installed) => Arc::clone(installed),
        None => Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
    }
}

#[cfg(test)]
mod tests;
