//! PostgreSQL's dialect, in three layers: our scanner, PostgreSQL's own grammar, and an honest
//! *unknown* where the grammar fails.
//!
//! ```text
//! text ─ cache by text ─ scan ─ cache by shape ─ parse ─ read the tree ─ analysis
//!                         └──────── fails ─────────┴─────────┴── unknown, kind by first word
//! ```

mod cache;
pub mod copy;
mod effects;
mod grammar;
pub mod lineage;
mod outline;
pub mod scan;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use portcullis_core::operation::Facts;

use self::cache::{By, Cache};
use self::effects::Reading;
use self::outline::{MAX_TOKENS, Outline};
use crate::{Analysis, Kind, Object, SqlEffect, Statement, vocabulary};

/// Longer texts are not parsed.
pub const MAX_BYTES: usize = 16 << 20;

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
pub struct Analyzer {
    cache: Cache,
}

/// What was found out about a text, and how far it holds.
struct Found {
    analysis: Analysis,
    /// Whether it holds for every text of the same shape.
    for_shape: bool,
}

impl Analyzer {
    /// An analyzer that remembers at most `cache_bytes` bytes, about.
    pub fn new(cache_bytes: usize) -> Self {
        Self { cache: Cache::new(cache_bytes) }
    }

    /// What `text` would do. Never fails: what cannot be read is a statement with the effect
    /// [`vocabulary::UNKNOWN`] on the database.
    ///
    /// A text that was analysed before costs a hash and a comparison and gives the same analysis;
    /// so does, after a scan, one that differs from it in literals alone where these decide
    /// nothing. Any other text is parsed on a thread kept for that, and the caller waits for it.
    pub fn analyse(&self, text: &[u8], settings: Settings) -> Arc<Analysis> {
        thread_local! {
            static OUTLINE: RefCell<Outline> = RefCell::default();
        }
        if let Some(known) = self.cache.get(By::Text, settings, text) {
            return known;
        }
        OUTLINE.with_borrow_mut(|outline| self.analyse_new(text, settings, outline))
    }

    fn analyse_new(&self, text: &[u8], settings: Settings, outline: &mut Outline) -> Arc<Analysis> {
        if !is_readable(text, settings) || outline::outline(text, settings, outline).is_err() {
            return Arc::new(unknown(text, settings, &[]));
        }
        let by_shape = outline.has_shape && outline.has_literals;
        if by_shape && let Some(known) = self.cache.get(By::Shape, settings, &outline.shape) {
            return known;
        }
        let found = understand(text, settings, outline);
        let analysis = Arc::new(found.analysis);
        // The text as well: a statement whose literals never change is then found without a scan.
        self.cache.insert(By::Text, settings, text, &analysis);
        if by_shape && found.for_shape {
            self.cache.insert(By::Shape, settings, &outline.shape, &analysis);
        }
        analysis
    }
}

/// Whether the gate and the target see the same characters.
fn is_readable(text: &[u8], settings: Settings) -> bool {
    text.len() <= MAX_BYTES
        && memchr::memchr(0, text).is_none()
        && (text.is_ascii() || settings.utf8 && std::str::from_utf8(text).is_ok())
}

fn understand(text: &[u8], settings: Settings, outline: &Outline) -> Found {
    if outline.statements.is_empty() {
        return Found { analysis: Analysis::new(vec![only(Kind::Empty, vocabulary::SESSION, None)]), for_shape: false };
    }
    let readings = match std::str::from_utf8(text) {
        Ok(text) if outline.tokens <= MAX_TOKENS => read(text, settings, &outline.statements),
        _ => None,
    };
    match readings {
        Some(readings) => found(readings, &outline.statements),
        None => Found { analysis: unknown(text, settings, &outline.statements), for_shape: false },
    }
}

/// Reads a text by PostgreSQL's grammar. Where it sees other statements than the scanner did,
/// neither is believed.
fn read(text: &str, settings: Settings, statements: &[Range<usize>]) -> Option<Vec<Reading>> {
    let expected = statements.to_vec();
    let readings = grammar::parse(text, settings, move |parsed| {
        let agree = parsed.len() == expected.len()
            && parsed.iter().zip(&expected).all(|(statement, range)| {
                let start = usize::try_from(statement.stmt_location).unwrap_or(usize::MAX);
                let length = usize::try_from(statement.stmt_len).unwrap_or(usize::MAX);
                start <= range.start && (length == 0 || range.end <= start.saturating_add(length))
            });
        let read = |statement: &pg_query::protobuf::RawStmt| statement.stmt.as_ref().map(|node| effects::read(node));
        if agree { parsed.iter().map(read).collect::<Option<Vec<Reading>>>() } else { None }
    });
    readings.ok().flatten()
}

fn found(readings: Vec<Reading>, statements: &[Range<usize>]) -> Found {
    let one = readings.len() == 1;
    let is_unknown = |effect: &SqlEffect| effect.action == vocabulary::UNKNOWN;
    let for_shape =
        one && readings.iter().all(|reading| !reading.depends_on_literals && !reading.effects.iter().any(is_unknown));
    let statement = |(reading, range): (Reading, &Range<usize>)| Statement {
        kind: reading.kind,
        effects: reading.effects,
        change: reading.change,
        range: (!one).then(|| range.clone()),
    };
    let statements = readings.into_iter().zip(statements).map(statement).collect();
    Found { analysis: Analysis::new(statements), for_shape }
}

/// What is said of a text that cannot be read.
fn unknown(text: &[u8], settings: Settings, statements: &[Range<usize>]) -> Analysis {
    let kind = |range: &Range<usize>| outline::kind(text.get(range.clone()).unwrap_or_default(), settings);
    Analysis::new(match statements {
        [] | [_] => {
            let kind = statements.first().map_or_else(|| outline::kind(text, settings), kind);
            let kind = if kind == Kind::Empty { Kind::Unknown } else { kind };
            vec![only(kind, vocabulary::UNKNOWN, None)]
        }
        many => many.iter().map(|range| only(kind(range), vocabulary::UNKNOWN, Some(range.clone()))).collect(),
    })
}

/// A statement with one effect, on the database.
fn only(kind: Kind, action: portcullis_core::vocabulary::Action, range: Option<Range<usize>>) -> Statement {
    let effect = SqlEffect { action, object: Object::Database, facts: Facts::new() };
    Statement { kind, effects: vec![effect], change: None, range }
}

/// Where the statements of a text are, by the scanner alone.
pub fn statements(text: &[u8], settings: Settings) -> Result<Vec<Range<usize>>, scan::Unreadable> {
    let mut found = Outline::default();
    outline::outline(text, settings, &mut found)?;
    Ok(found.statements)
}
