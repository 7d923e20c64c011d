//! The index: what all sessions were, and what was done in them, to be listed and searched. It is made
//! from the recordings and holds nothing that they do not: whoever deletes it gets it again.

mod follow;
mod query;
mod session;
mod terms;

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

pub use follow::Follower;
pub use query::{Filter, OperationFilter, OperationRow, Page};
pub use session::{Session, Who};

use crate::store::StoreError;

/// The tables. A file with other tables is made anew: the recordings have it all.
const VERSION: i64 = 1;
const TABLES: &str = "
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    protocol TEXT NOT NULL,
    target TEXT NOT NULL,
    client TEXT NOT NULL,
    application TEXT NOT NULL,
    who TEXT NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    opened INTEGER NOT NULL,
    closed INTEGER,
    reason TEXT,
    operations INTEGER NOT NULL DEFAULT 0,
    denied INTEGER NOT NULL DEFAULT 0,
    asked INTEGER NOT NULL DEFAULT 0,
    masked INTEGER NOT NULL DEFAULT 0,
    recovered INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    seq INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sessions_by_id ON sessions (id);
CREATE INDEX sessions_by_target ON sessions (target, number);
CREATE INDEX sessions_by_name ON sessions (name, number);
CREATE INDEX sessions_by_subject ON sessions (subject, number);
CREATE INDEX sessions_by_opened ON sessions (opened);
CREATE INDEX sessions_open ON sessions (number) WHERE complete = 0;
CREATE INDEX sessions_denied ON sessions (number) WHERE denied > 0;
CREATE INDEX sessions_asked ON sessions (number) WHERE asked > 0;
CREATE TABLE operations (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    statement TEXT NOT NULL,
    decision TEXT NOT NULL DEFAULT '',
    policies TEXT NOT NULL DEFAULT '[]',
    status TEXT,
    rows INTEGER NOT NULL DEFAULT 0,
    micros INTEGER NOT NULL DEFAULT 0,
    masked TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX operations_not_allowed ON operations (decision, id) WHERE decision <> 'allow';
CREATE VIRTUAL TABLE searched USING fts5 (statement, content = '', contentless_delete = 1, tokenize = \"unicode61 tokenchars '_'\");
";

/// How many bits of an operation's id are its number within its session. The rest is the session's.
const OPERATION_BITS: u32 = 24;

/// The index of one archive, in a SQLite file of its own.
#[derive(Debug, Clone)]
pub struct Index {
    write: SqlitePool,
    read: SqlitePool,
}

fn failed(why: impl std::fmt::Display) -> StoreError {
    StoreError(why.to_string())
}

impl Index {
    /// Opens the file, or makes it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        crate::store::make(path).map_err(failed)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // What a crash of the machine takes is read from the recordings again.
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", "-16384");
        // One writes; several read beside it.
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.map_err(failed)?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&write).await.map_err(failed)?;
        if version == 0 {
            let mut change = write.begin().await.map_err(failed)?;
            sqlx::raw_sql(TABLES).execute(&mut *change).await.map_err(failed)?;
            sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut *change).await.map_err(failed)?;
            change.commit().await.map_err(failed)?;
        } else if version != VERSION {
            let what = format!("`{}` is an index of version {version}; delete it, and it is made anew", path.display());
            return Err(StoreError(what));
        }
        let read = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true));
        Ok(Self { write, read: read.await.map_err(failed)? })
    }
}
