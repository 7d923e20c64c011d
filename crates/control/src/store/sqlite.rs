//! Asks in SQLite: one file beside the gate.

use std::path::Path;

use portcullis_core::BoxFuture;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{QueryBuilder, Row, Sqlite as Dialect};

use super::{Store, StoreError};
use crate::ask::{Ask, State};

/// The tables of this version. Each later version adds a step.
const STEPS: &[&str] = &[
    "
CREATE TABLE asks (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    asked INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX asks_by_state ON asks (state, asked);
",
    "
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL,
    session TEXT NOT NULL,
    op INTEGER NOT NULL,
    outcome TEXT
) STRICT;
",
    "
CREATE TABLE sign_ins (
    hash BLOB PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    identity TEXT NOT NULL,
    authenticated INTEGER,
    at INTEGER NOT NULL,
    ends INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_ins_of ON sign_ins (issuer, subject, at);
",
    "
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    receiver TEXT NOT NULL,
    at INTEGER NOT NULL,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (receiver, due);
CREATE INDEX outbox_at ON outbox (receiver, at);
",
];

/// A SQLite file.
#[derive(Debug)]
pub struct Sqlite(pub(super) SqlitePool);

pub(super) fn failed(why: impl std::fmt::Display) -> StoreError {
    StoreError(why.to_string())
}

impl Sqlite {
    /// Opens the file, makes it where it is missing, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        make(path).map_err(failed)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // An answer that was acknowledged survives the death of the machine.
            .synchronous(SqliteSynchronous::Full);
        // One connection: every change waits for the disk anyway, and none ever finds the file busy.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?;
        let store = Self(pool);
        store.migrate().await.map_err(failed)?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), sqlx::Error> {
        let version: i64 = sqlx::query("PRAGMA user_version").fetch_one(&self.0).await?.get(0);
        let done = usize::try_from(version).unwrap_or_default();
        if done > STEPS.len() {
            return Err(sqlx::Error::Protocol("the file was written by a later version of Portcullis".into()));
        }
        for (number, step) in STEPS.iter().enumerate().skip(done) {
            let mut change = self.0.begin().await?;
            sqlx::raw_sql(*step).execute(&mut *change).await?;
            let version = QueryBuilder::<Dialect>::new(format!("PRAGMA user_version = {}", number + 1));
            sqlx::raw_sql(sqlx::AssertSqlSafe(version.into_string())).execute(&mut *change).await?;
            change.commit().await?;
        }
        Ok(())
    }
}

/// Makes the file where it is missing. Statements can hold what nobody else on the machine may read;
/// the files that SQLite puts beside it get the permissions of this one.
pub(crate) fn make(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn read(row: &SqliteRow) -> Result<Ask, StoreError> {
    serde_json::from_str(row.get::<&str, _>("body")).map_err(failed)
}

/// Writes an ask, in place of what was kept under its id.
pub(super) async fn keep(ask: &Ask, to: impl sqlx::SqliteExecutor<'_>) -> Result<(), StoreError> {
    let body = serde_json::to_string(ask).map_err(failed)?;
    let keep = sqlx::query(
        "INSERT INTO asks (id, state, asked, body) VALUES (?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body",
    );
    let asked = i64::try_from(ask.asked).unwrap_or(i64::MAX);
    keep.bind(&ask.id).bind(ask.state.word()).bind(asked).bind(body).execute(to).await.map(drop).map_err(failed)
}

impl Store for Sqlite {
    fn put<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { keep(ask, &self.0).await })
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ask>, StoreError>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT body FROM asks WHERE id = ?").bind(id).fetch_optional(&self.0).await;
            row.map_err(failed)?.as_ref().map(read).transpose()
        })
    }

    fn latest<'a>(&'a self, states: &'a [State], most: u32) -> BoxFuture<'a, Result<Vec<Ask>, StoreError>> {
        Box::pin(async move {
            let mut query = QueryBuilder::<Dialect>::new("SELECT body FROM asks WHERE state IN (");
            let mut words = query.separated(", ");
            for state in states {
                words.push_bind(state.word());
            }
            query.push(") ORDER BY asked DESC, id DESC LIMIT ").push_bind(i64::from(most));
            let rows = query.build().fetch_all(&self.0).await.map_err(failed)?;
            rows.iter().map(read).collect()
        })
    }
}
