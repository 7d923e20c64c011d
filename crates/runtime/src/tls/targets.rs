//! The target's leg: the gate connects, and is the TLS client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::BoxFuture;
use portcullis_core::stream::{BoxStream, Connector, Secured, TlsMode};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::by_alpn::ByAlpn;
use super::{TlsError, pem, provider};
use crate::config::{Address, Target, TargetTls, TargetTlsMode};
use crate::server::socket;

/// How long a target may take to accept a connection, all its addresses together.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes connections to one target.
pub struct TargetLeg {
    address: Address,
    tls: Option<Tls>,
}

struct Tls {
    configs: ByAlpn<ClientConfig>,
    name: ServerName<'static>,
}

impl TargetLeg {
    /// Reads the authorities and the client certificate that the target's configuration names.
    pub fn new(target: &Target) -> Result<Self, TlsError> {
        let tls = match target.tls.mode {
            TargetTlsMode::Disable => None,
            TargetTlsMode::Require => Some(Tls {
                configs: ByAlpn::new(client_config(&target.tls)?, |config, alpn| config.alpn_protocols = alpn),
                name: name(target)?,
            }),
        };
        Ok(Self { address: target.address.clone(), tls })
    }

    async fn open(&self) -> io::Result<BoxStream> {
        let address = (self.address.host.as_str(), self.address.port);
        let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
        let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        socket::tune(&stream);
        Ok(Box::new(stream))
    }
}

impl Tls {
    async fn start(&self, stream: BoxStream, alpn: &'static [&'static [u8]]) -> io::Result<Secured> {
        let connector = TlsConnector::from(self.configs.get(alpn));
        let stream = connector.connect(self.name.clone(), stream).await?;
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = chain.and_then(<[_]>::first).map(|certificate| certificate.to_vec());
        Ok(Secured { stream: Box::new(stream), certificate })
    }
}

impl Connector for TargetLeg {
    fn connect(&self) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(self.open())
    }

    fn tls_mode(&self) -> TlsMode {
        if self.tls.is_some() { TlsMode::Require } else { TlsMode::Disable }
    }

    fn start_tls(&self, stream: BoxStream, alpn: &'static [&'static [u8]]) -> BoxFuture<'_, io::Result<Secured>> {
        Box::pin(async move {
            match &self.tls {
                Some(tls) => tls.start(stream, alpn).await,
                None => Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is disabled for this target")),
            }
        })
    }
}

fn name(target: &Target) -> Result<ServerName<'static>, TlsError> {
    let name = target.tls.server_name.as_ref().unwrap_or(&target.address.host);
    ServerName::try_from(name.clone()).map_err(|_| TlsError(format!("`{name}` cannot be the name in a certificate")))
}

fn client_config(tls: &TargetTls) -> Result<ClientConfig, TlsError> {
    let unusable = |why: rustls::Error| TlsError(format!("TLS to the target cannot be set up: {why}"));
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(Arc::new(authorities(tls)?));
    match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let chain = pem::certificates(certificate)?;
            let secret = pem::key_in(key, &pem::read(key)?)?;
            builder.with_client_auth_cert(chain, secret).map_err(|why| {
                let (certificate, key) = (certificate.display(), key.display());
                TlsError(format!("the certificate `{certificate}` and the key `{key}` cannot be used together: {why}"))
            })
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn authorities(tls: &TargetTls) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    if let Some(path) = &tls.ca {
        for authority in pem::certificates(path)? {
            store
                .add(authority)
                .map_err(|why| TlsError(format!("an authority in `{}` cannot be used: {why}", path.display())))?;
        }
        return Ok(store);
    }
    // Some systems carry odd certificates that no one uses; what is left is what the system trusts.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(TlsError("the system has no certificate authorities; name the target's own with `tls.ca`".into()));
    }
    Ok(store)
}
