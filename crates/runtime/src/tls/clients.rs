//! The client's leg: the gate is the TLS server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::BoxFuture;
use portcullis_core::stream::{Acceptor, BoxStream};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::by_alpn::ByAlpn;
use super::certificate::Certificate;
use super::{TlsError, provider};
use crate::config::ClientTls;

/// How often the files are compared with what is in use. Reading two small files is cheaper than
/// being wrong about which events a mounted secret makes when it is replaced.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Takes clients into TLS with the gate's certificate.
pub struct ClientLeg {
    configs: ByAlpn<ServerConfig>,
    certificate: Arc<Certificate>,
}

impl ClientLeg {
    /// Reads the certificate and its key.
    pub fn new(files: ClientTls) -> Result<Self, TlsError> {
        let certificate = Arc::new(Certificate::load(files)?);
        let unusable = |why: rustls::Error| TlsError(format!("TLS for clients cannot be set up: {why}"));
        let mut base = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as _);
        // Tickets hold the session at the client, so resumption costs the gate no memory.
        base.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(unusable)?;
        base.send_tls13_tickets = 1;
        Ok(Self { configs: ByAlpn::new(base, |config, alpn| config.alpn_protocols = alpn), certificate })
    }

    /// Follows the files until it is dropped. Sessions that are open keep the certificate they
    /// began with.
    pub async fn follow_files(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look();
        }
    }

    /// Looks at the files once, and says whether a new certificate is in use from now on.
    pub fn look(&self) -> bool {
        let file = self.certificate.path().display();
        match self.certificate.refresh() {
            Ok(true) => {
                tracing::info!(%file, "the gate's certificate was replaced");
                true
            }
            Ok(false) => false,
            Err(why) => {
                tracing::error!(%file, error = %why, "the gate's certificate changed and cannot be used; the old one stays");
                false
            }
        }
    }
}

impl Acceptor for ClientLeg {
    fn accept(
        &self,
        stream: BoxStream,
        alpn: &'static [&'static [u8]],
        require_alpn: bool,
    ) -> BoxFuture<'_, io::Result<BoxStream>> {
        let config = self.configs.get(alpn);
        Box::pin(async move {
            let stream = TlsAcceptor::from(config).accept(stream).await?;
            if require_alpn && stream.get_ref().1.alpn_protocol().is_none() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the client named no application protocol"));
            }
            Ok(Box::new(stream) as BoxStream)
        })
    }
}
