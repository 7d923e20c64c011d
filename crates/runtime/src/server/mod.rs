//! A running gate: protocols over one configuration.
//!
//! ```ignore
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     Server::new("portcullis.toml")?.with::<Postgres>().run()?;
//!     Ok(())
//! }
//! ```
//!
//! It knows no protocol by name: each is known by what [`Server::with`] was told.

mod adapters;
mod admission;
pub mod beside;
mod bound;
pub mod doors;
mod journal;
mod kind;
mod listener;
mod plan;
mod process;
pub mod socket;
pub mod vitals;

use std::path::Path;

use portcullis_core::protocol::Protocol;

pub use bound::Bound;
pub use kind::Kind;
pub use plan::{Plan, Probe};

use crate::config::{Config, Problems};

/// A gate that is being put together.
pub struct Server {
    config: Config,
    kinds: Vec<Kind>,
    beside: Option<beside::Opening>,
}

/// Why a gate does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration cannot be served.
    #[error(transparent)]
    Config(#[from] Problems),
    /// Nothing can be recorded.
    #[error("nothing can be recorded: {0}")]
    Recorder(#[source] crate::recording::SpoolError),
    /// An address cannot be listened on.
    #[error("`{what}` cannot listen on `{address}`: {source}")]
    Bind {
        /// The target, or `admin`.
        what: String,
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// What runs beside the gate cannot start.
    #[error("{0}")]
    Beside(String),
    /// The process cannot be set up.
    #[error("the process cannot be set up: {0}")]
    Process(String),
}

impl Server {
    /// Reads the configuration file at `path`.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, Problems> {
        Config::load(path.as_ref()).map(Self::from)
    }

    /// Adds a protocol.
    #[must_use]
    pub fn with<P: Protocol>(self) -> Self {
        self.with_kind(Kind::of::<P>())
    }

    /// Adds a protocol that is known at run time only.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Adds what runs beside the gate in its process.
    #[must_use]
    pub fn beside(mut self, opening: beside::Opening) -> Self {
        self.beside = Some(opening);
        self
    }

    /// Makes everything that can be made without binding a port or asking anybody: reads the
    /// policies and the certificates, and every protocol's own configuration.
    pub fn plan(self) -> Result<Plan, Problems> {
        Plan::new(self.config, &self.kinds, self.beside)
    }

    /// Runs the gate until it is told to stop by SIGTERM or SIGINT, and drains it. It makes itself
    /// at home in the process: log, limits, cryptography, threads. Call it from `main`.
    pub fn run(self) -> Result<(), RunError> {
        process::run(self)
    }
}

impl From<Config> for Server {
    fn from(config: Config) -> Self {
        Self { config, kinds: Vec::new(), beside: None }
    }
}

#[cfg(test)]
mod tests;
