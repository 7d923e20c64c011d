//! What receivers are still to be told, in SQLite. It is written together with the change of the ask that it
//! tells of, so that neither is ever there without the other.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite as Dialect};

use super::sqlite::{failed, keep};
use super::{Sqlite, StoreError};
use crate::ask::Ask;

/// The most that waits for one receiver. Beyond, the oldest gives way.
const MAX_WAITING: i64 = 10_000;

/// Something to be told to a receiver.
pub(crate) struct Notice {
    pub(crate) id: String,
    pub(crate) receiver: String,
    pub(crate) body: String,
}

/// Something that waits to be told.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    /// Since when, in microseconds since 1970.
    pub(crate) at: u64,
    /// How often it was tried.
    pub(crate) tries: u32,
    pub(crate) body: String,
}

/// What comes next for a receiver.
#[derive(Debug)]
pub(crate) enum Next {
    /// This, now.
    Due(Delivery),
    /// Something, at this time.
    At(u64),
    /// Nothing.
    Nothing,
}

fn number(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

impl Sqlite {
    /// Keeps an ask, and what is to be told of it if its state is another than before.
    pub(crate) async fn put_telling(&self, ask: &Ask, notices: &[Notice], at: u64) -> Result<(), StoreError> {
        let mut change = self.0.begin().await.map_err(failed)?;
        let before = sqlx::query_scalar::<_, String>("SELECT state FROM asks WHERE id = ?").bind(&ask.id);
        let before = before.fetch_optional(&mut *change).await.map_err(failed)?;
        keep(ask, &mut *change).await?;
        let told = if before.as_deref() == Some(ask.state.word()) { &[] } else { notices };
        for Notice { id, receiver, body } in told {
            let add = sqlx::query("INSERT INTO outbox (id, receiver, at, due, body) VALUES (?, ?, ?, ?, ?)");
            let add = add.bind(id).bind(receiver).bind(number(at)).bind(number(at)).bind(body);
            add.execute(&mut *change).await.map_err(failed)?;
            let bound = sqlx::query(
                "DELETE FROM outbox WHERE rowid IN \
                 (SELECT rowid FROM outbox WHERE receiver = ? ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)",
            );
            let gone = bound.bind(receiver).bind(MAX_WAITING).execute(&mut *change).await.map_err(failed)?;
            if gone.rows_affected() > 0 {
                tracing::error!(%receiver, "too much waits for a receiver, and the oldest is not told any more");
            }
        }
        change.commit().await.map_err(failed)
    }

    /// Forgets what waits for receivers that there are no more.
    pub(crate) async fn forget_receivers_but(&self, names: &[String]) -> Result<(), StoreError> {
        let mut query = QueryBuilder::<Dialect>::new("DELETE FROM outbox WHERE receiver NOT IN (");
        let mut list = query.separated(", ");
        for name in names {
            list.push_bind(name);
        }
        query.push(")");
        query.build().execute(&self.0).await.map(drop).map_err(failed)
    }

    /// What comes next for a receiver.
    pub(crate) async fn next_for(&self, receiver: &str, now: u64) -> Result<Next, StoreError> {
        let next = sqlx::query("SELECT * FROM outbox WHERE receiver = ? ORDER BY due, rowid LIMIT 1");
        let row = next.bind(receiver).fetch_optional(&self.0).await.map_err(failed)?;
        let Some(row) = row else { return Ok(Next::Nothing) };
        let due = u64::try_from(row.get::<i64, _>("due")).unwrap_or_default();
        if due > now { Ok(Next::At(due)) } else { read(&row).map(Next::Due).map_err(failed) }
    }

    /// It was told, or will never be.
    pub(crate) async fn done_with(&self, id: &str) -> Result<(), StoreError> {
        let done = sqlx::query("DELETE FROM outbox WHERE id = ?").bind(id);
        done.execute(&self.0).await.map(drop).map_err(failed)
    }

    /// It could not be told, and is tried again later.
    pub(crate) async fn try_again(&self, id: &str, due: u64) -> Result<(), StoreError> {
        let later = sqlx::query("UPDATE outbox SET tries = tries + 1, due = ? WHERE id = ?");
        later.bind(number(due)).bind(id).execute(&self.0).await.map(drop).map_err(failed)
    }
}

fn read(row: &SqliteRow) -> Result<Delivery, sqlx::Error> {
    Ok(Delivery {
        id: row.try_get("id")?,
        at: u64::try_from(row.try_get::<i64, _>("at")?).unwrap_or_default(),
        tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
        body: row.try_get("body")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_and_the_latest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("control.sqlite")).await.unwrap();
        let mut ask = crate::ask::tests::ask(&[&["dba"]], 1);
        let notice = |number: i64| Notice { id: number.to_string(), receiver: "r".into(), body: "{}".into() };
        let filled: Vec<_> = (0..MAX_WAITING).map(notice).collect();
        store.put_telling(&ask, &filled[..1], 1).await.unwrap();
        sqlx::query(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) \
             INSERT INTO outbox (id, receiver, at, due, body) SELECT n, 'r', 2, 2, '{}' FROM n",
        )
        .bind(MAX_WAITING - 1)
        .execute(&store.0)
        .await
        .unwrap();
        // The same state again tells nobody anything.
        store.put_telling(&ask, &[notice(-1)], 3).await.unwrap();
        assert!(matches!(store.next_for("r", 9).await.unwrap(), Next::Due(first) if first.id == "0"));
        ask.state = crate::ask::State::Denied;
        store.put_telling(&ask, &[notice(-2)], 3).await.unwrap();
        assert!(matches!(store.next_for("r", 9).await.unwrap(), Next::Due(first) if first.id == "1"));
        store.forget_receivers_but(&["r".into()]).await.unwrap();
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM outbox").fetch_one(&store.0);
        assert_eq!(count.await.unwrap(), MAX_WAITING);
        store.forget_receivers_but(&[]).await.unwrap();
        assert!(matches!(store.next_for("r", 9).await.unwrap(), Next::Nothing));
    }
}
