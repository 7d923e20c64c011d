//! What people did in the control plane, in SQLite: an index of what the sealed recording says, to be
//! read a page at a time.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::sqlite::failed;
use super::{Sqlite, StoreError};
use crate::ask::rfc3339;
use crate::audit::Deed;

/// Something that somebody did, or was about to do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Its number, without gaps for as long as the file exists.
    pub seq: i64,
    /// When it began (RFC 3339).
    pub at: String,
    /// A name for people.
    pub who: String,
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's name for them.
    pub subject: String,
    /// What policies call it.
    pub action: String,
    /// The target that it is about, or `portcullis`.
    pub target: String,
    /// The thing that it is done to.
    pub what: String,
    /// How, and why.
    pub detail: String,
    /// `done`, or the code of why it was not; `null` where nobody could tell any more.
    pub outcome: Option<String>,
    /// The recording that holds it.
    pub session: String,
    /// The operation's number in that recording.
    pub op: u64,
}

impl Sqlite {
    /// Adds a deed that begins; its number.
    pub(crate) async fn add_deed(&self, deed: &Deed, session: &str, op: u64, at: u64) -> Result<i64, StoreError> {
        let added = sqlx::query(
            "INSERT INTO audit (at, who, issuer, subject, action, target, what, detail, session, op) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::try_from(at).unwrap_or(i64::MAX))
        .bind(deed.who.name())
        .bind(&deed.who.issuer)
        .bind(&deed.who.subject)
        .bind(deed.action.name())
        .bind(&deed.target)
        .bind(&deed.what)
        .bind(&deed.detail)
        .bind(session)
        .bind(i64::try_from(op).unwrap_or(i64::MAX))
        .execute(&self.0)
        .await
        .map_err(failed)?;
        Ok(added.last_insert_rowid())
    }

    /// Says what came of a deed.
    pub(crate) async fn end_deed(&self, seq: i64, outcome: &str) -> Result<(), StoreError> {
        let ended = sqlx::query("UPDATE audit SET outcome = ? WHERE seq = ?").bind(outcome).bind(seq);
        ended.execute(&self.0).await.map(drop).map_err(failed)
    }

    /// Deeds from before one on, the latest first.
    pub(crate) async fn deeds(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let page = sqlx::query("SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?");
        let rows = page.bind(before.unwrap_or(i64::MAX)).bind(i64::from(most)).fetch_all(&self.0).await;
        rows.map_err(failed)?.iter().map(|row| read(row).map_err(failed)).collect()
    }
}

fn read(row: &SqliteRow) -> Result<AuditEntry, sqlx::Error> {
    let number = |value: i64| u64::try_from(value).unwrap_or_default();
    Ok(AuditEntry {
        seq: row.try_get("seq")?,
        at: rfc3339(number(row.try_get("at")?)),
        who: row.try_get("who")?,
        issuer: row.try_get("issuer")?,
        subject: row.try_get("subject")?,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        what: row.try_get("what")?,
        detail: row.try_get("detail")?,
        outcome: row.try_get("outcome")?,
        session: row.try_get("session")?,
        op: number(row.try_get("op")?),
    })
}
