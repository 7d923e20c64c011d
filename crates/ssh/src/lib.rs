//! SSH behind the gate (RFC 4251 to 4254), channel by channel, command by command.
//!
//! `command` reads what a command line runs, `classify` says what a request would do, `mask` hides
//! what is sensitive in what programs print, `refusal` says no, and `serve` alone awaits. The wire
//! itself belongs to russh, whose types stay inside this crate.

pub mod classify;
pub mod command;
mod config;
mod keys;
mod mask;
mod refusal;
mod serve;
pub mod vocabulary;

use std::sync::Arc;

use portcullis_core::gate::Gate;
use portcullis_core::protocol::{Client, ConfigError, Protocol, ServeError};
use portcullis_core::vocabulary::Vocabulary;

pub use config::{Config, Login};

/// SSH, configured for one target.
pub struct Ssh {
    config: Arc<Config>,
    server: Arc<russh::server::Config>,
}

impl Protocol for Ssh {
    const NAME: &'static str = "ssh";
    const MASKS: bool = true;
    const VOCABULARY: &'static Vocabulary = &vocabulary::VOCABULARY;
    type Config = Config;

    fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let server = Arc::new(serve::server_config(&config)?);
        Ok(Self { config: Arc::new(config), server })
    }

    async fn serve(&self, client: Client, gate: Gate) -> Result<(), ServeError> {
        Box::pin(serve::serve(self, client, gate)).await
    }

    async fn probe(&self, gate: Gate) -> Result<(), ServeError> {
        Box::pin(serve::probe(self, gate)).await
    }
}
