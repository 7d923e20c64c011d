//! PostgreSQL behind the gate: wire protocol 3.0 and 3.2 (PostgreSQL manual, "Frontend/Backend
//! Protocol").
//!
//! `wire` reads and writes frames, `session` follows the conversation without IO, `classify`
//! says what a message would do, `refusal` says no in PostgreSQL's words, and `serve` alone awaits.

mod cancel;
mod catalogue;
pub mod classify;
mod config;
mod knowledge;
mod mask;
mod names;
mod refusal;
mod relations;
mod serve;
mod session;
mod shown;
mod values;
pub mod wire;

use std::sync::Arc;

use portcullis_core::gate::Gate;
use portcullis_core::protocol::{Client, ConfigError, Protocol, ServeError};
use portcullis_core::vocabulary::Vocabulary;
use portcullis_sql::postgres::Analyzer;

pub use config::{ClientLogin, Config, Login};

/// Memory for analysed statements of one target, in bytes.
const ANALYSIS_CACHE: usize = 32 << 20;

/// PostgreSQL, configured for one target.
pub struct Postgres {
    config: Config,
    analyzer: Analyzer,
    catalogues: catalogue::Catalogues,
    lookups: serve::lookup::Lookups,
    cancels: Arc<cancel::Cancels>,
}

impl Protocol for Postgres {
    const NAME: &'static str = "postgres";
    const MASKS: bool = true;
    const VOCABULARY: &'static Vocabulary = &portcullis_sql::vocabulary::VOCABULARY;
    type Config = Config;

    fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            analyzer: Analyzer::new(ANALYSIS_CACHE),
            catalogues: catalogue::Catalogues::default(),
            lookups: serve::lookup::Lookups::default(),
            cancels: Arc::default(),
        })
    }

    async fn serve(&self, client: Client, gate: Gate) -> Result<(), ServeError> {
        Box::pin(serve::serve(self, client, gate)).await
    }

    async fn probe(&self, gate: Gate) -> Result<(), ServeError> {
        Box::pin(serve::probe(self, gate)).await
    }
}
