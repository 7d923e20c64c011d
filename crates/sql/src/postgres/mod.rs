//! PostgreSQL's dialect, in three layers: our scanner, PostgreSQL's own grammar, and an honest
//! *unknown* where the grammar fails.

use std::sync::Arc;

use portcullis_core::operation::Facts;

use crate::{Analysis, Kind, Object, SqlEffect, Statement, vocabulary};

/// What of the session decides how a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The setting of that name: off makes a backslash an escape in every string.
    pub standard_conforming_strings: bool,
    /// Whether both `client_encoding` and `server_encoding` are UTF8. Where they are not, a text
    /// with bytes beyond ASCII is unknown.
    pub utf8: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { standard_conforming_strings: true, utf8: true }
    }
}

/// Analyses texts and remembers what it found. Shared by all sessions of a target.
#[derive(Debug)]
pub struct Analyzer {}

impl Analyzer {
    /// An analyzer that remembers at most `cache_bytes` bytes, about.
    pub fn new(_cache_bytes: usize) -> Self {
        Self {}
    }

    /// What `text` would do. Never fails: what cannot be read is a statement with the effect
    /// [`vocabulary::UNKNOWN`] on the database.
    pub fn analyse(&self, _text: &[u8], _settings: Settings) -> Arc<Analysis> {
        let effect = SqlEffect { action: vocabulary::UNKNOWN, object: Object::Database, facts: Facts::new() };
        let statement = Statement { kind: Kind::Unknown, effects: vec![effect], change: None, range: None };
        Arc::new(Analysis { statements: vec![statement], weight: 0 })
    }
}
