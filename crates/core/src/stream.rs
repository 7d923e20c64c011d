//! Byte streams and who makes them: the pipeline's view of the network.
//!
//! The runtime gives sockets and TLS; tests give pipes in memory. Protocols see only these traits.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::BoxFuture;

/// Any two-way byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A byte stream of any origin.
pub type BoxStream = Box<dyn Stream>;

/// Takes a client's plaintext stream into TLS, with the gate's certificate.
pub trait Acceptor: Send + Sync {
    /// Runs the handshake as the TLS server. `alpn` lists the protocols that are offered;
    /// with `require_alpn`, a client that names none of them is refused (direct TLS).
    fn accept(
        &self,
        stream: BoxStream,
        alpn: &'static [&'static [u8]],
        require_alpn: bool,
    ) -> BoxFuture<'_, io::Result<BoxStream>>;
}

/// Makes connections to one target.
pub trait Connector: Send + Sync {
    /// Opens a plaintext stream to the target.
    fn connect(&self) -> BoxFuture<'_, io::Result<BoxStream>>;

    /// What the target's configuration says about TLS.
    fn tls_mode(&self) -> TlsMode;

    /// Runs the TLS handshake as the client, verifying the target as configured, and shows the
    /// client certificate where one is configured.
    fn start_tls(&self, stream: BoxStream, alpn: &'static [&'static [u8]]) -> BoxFuture<'_, io::Result<Secured>>;
}

/// A target's stream inside TLS.
pub struct Secured {
    /// The stream.
    pub stream: BoxStream,
    /// The target's end-entity certificate in DER, for channel binding (RFC 5929).
    pub certificate: Option<Vec<u8>>,
}

/// Whether TLS to the target is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Always: a target that cannot is refused.
    Require,
    /// Never, because the operator said so for this target.
    Disable,
}
