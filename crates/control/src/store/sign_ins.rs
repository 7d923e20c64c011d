//! Who is signed in to the page, in SQLite. The cookie itself is not kept, only its hash: whoever reads the
//! file cannot sign in with it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_core::clock::unix_micros;
use portcullis_core::identity::Identity;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::sqlite::failed;
use super::{Sqlite, StoreError};

/// The most that one person may be signed in at a time; the oldest gives way.
const MAX_OWN: i64 = 20;

/// The hash of a cookie.
pub(crate) type Hash = [u8; 32];

impl Sqlite {
    /// Keeps who signed in, until `ends`, and forgets whom nobody could be any more.
    pub(crate) async fn add_sign_in(&self, hash: &Hash, who: &Identity, at: u64, ends: u64) -> Result<(), StoreError> {
        let identity = serde_json::to_string(who).map_err(failed)?;
        let mut change = self.0.begin().await.map_err(failed)?;
        let forget = sqlx::query("DELETE FROM sign_ins WHERE ends <= ?").bind(number(at));
        forget.execute(&mut *change).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO sign_ins (hash, issuer, subject, identity, authenticated, at, ends) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(hash.as_slice())
        .bind(&who.issuer)
        .bind(&who.subject)
        .bind(identity)
        .bind(who.authenticated.map(|then| number(unix_micros(then))))
        .bind(number(at))
        .bind(number(ends))
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        sqlx::query(
            "DELETE FROM sign_ins WHERE issuer = ?1 AND subject = ?2 AND hash NOT IN \
             (SELECT hash FROM sign_ins WHERE issuer = ?1 AND subject = ?2 ORDER BY at DESC LIMIT ?3)",
        )
        .bind(&who.issuer)
        .bind(&who.subject)
        .bind(MAX_OWN)
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        change.commit().await.map_err(failed)
    }

    /// Who is signed in with a cookie now. What the identity expires by is the sign-in's own end.
    pub(crate) async fn sign_in(&self, hash: &Hash, now: u64) -> Result<Option<Identity>, StoreError> {
        let found = sqlx::query("SELECT identity, authenticated, ends FROM sign_ins WHERE hash = ? AND ends > ?");
        let row = found.bind(hash.as_slice()).bind(number(now)).fetch_optional(&self.0).await.map_err(failed)?;
        row.as_ref().map(read).transpose()
    }

    /// Signs out what was signed in with a cookie.
    pub(crate) async fn end_sign_in(&self, hash: &Hash) -> Result<(), StoreError> {
        let end = sqlx::query("DELETE FROM sign_ins WHERE hash = ?").bind(hash.as_slice());
        end.execute(&self.0).await.map(drop).map_err(failed)
    }

    /// Signs an identity out everywhere.
    pub(crate) async fn end_sign_ins_of(&self, issuer: &str, subject: &str) -> Result<(), StoreError> {
        let end = sqlx::query("DELETE FROM sign_ins WHERE issuer = ? AND subject = ?").bind(issuer).bind(subject);
        end.execute(&self.0).await.map(drop).map_err(failed)
    }
}

fn number(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

fn read(row: &SqliteRow) -> Result<Identity, StoreError> {
    let time = |micros: i64| -> SystemTime { UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or(0)) };
    let mut identity: Identity = serde_json::from_str(row.try_get("identity").map_err(failed)?).map_err(failed)?;
    identity.authenticated = row.try_get::<Option<i64>, _>("authenticated").map_err(failed)?.map(time);
    identity.expires = time(row.try_get("ends").map_err(failed)?);
    Ok(identity)
}
