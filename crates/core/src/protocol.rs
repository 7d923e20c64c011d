//! The trait that every protocol crate implements, and what its serving can end with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::gate::Gate;
use crate::identity::Proof;
use crate::stream::{Acceptor, BoxStream};
use crate::vocabulary::Vocabulary;

/// One protocol, configured for one target.
pub trait Protocol: Send + Sync + Sized + 'static {
    /// The protocol's name: key of its configuration, label of its metrics, field of its records.
    const NAME: &'static str;

    /// The words that it adds to the policy language.
    const VOCABULARY: &'static Vocabulary;

    /// Whether it puts every value of a target's replies through [`Permit::mask`](crate::permit::Permit::mask).
    /// A configuration that asks for masking in front of a protocol that does not is refused.
    const MASKS: bool = false;

    /// The protocol's own part of a target's configuration.
    type Config: DeserializeOwned + JsonSchema;

    /// Checks the configuration and makes the protocol ready to serve. It opens no connection.
    fn new(config: Self::Config) -> Result<Self, ConfigError>;

    /// Serves one client until it leaves. Everything that it begins ends before it returns.
    fn serve(&self, client: Client, gate: Gate) -> impl Future<Output = Result<(), ServeError>> + Send;

    /// Logs in at the target and leaves again: what `check --probe` does.
    fn probe(&self, gate: Gate) -> impl Future<Output = Result<(), ServeError>> + Send;
}

/// A client that has connected and said nothing yet.
pub struct Client {
    /// Its bytes.
    pub stream: BoxStream,
    /// Where it comes from.
    pub address: SocketAddr,
    /// How to take it into TLS; `None` where the listener has no certificate.
    pub tls: Option<Arc<dyn Acceptor>>,
    /// Whether it may log in without TLS: the listener's configuration says so, and it is on loopback.
    pub plaintext_login: bool,
    /// How long it may take to log in.
    pub login_deadline: Duration,
    /// What it has shown already, where it came through the gate's own tunnel: it is asked for
    /// nothing more, and what carries its bytes counts as encrypted. `tls` is `None` then.
    pub proof: Option<Proof>,
}

/// A protocol's configuration that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The key at fault, dotted, below the target's table.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

/// How serving a client failed, for the operator. It says whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client broke the protocol or sent what cannot be served.
    #[error("client: {0}")]
    Client(String),
    /// The client's connection failed.
    #[error("client connection: {0}")]
    ClientIo(#[source] std::io::Error),
    /// The client was refused before it had a session.
    #[error("refused: {0}")]
    Refused(String),
    /// The target broke the protocol or refused the gate.
    #[error("target: {0}")]
    Target(String),
    /// The target's connection failed.
    #[error("target connection: {0}")]
    TargetIo(#[source] std::io::Error),
    /// The gate itself failed.
    #[error("gate: {0}")]
    Gate(String),
}
