//! Lists and searches. The latest come first; a page begins where the one before has ended, whatever
//! has come since. However much there is, one page costs a bounded look at it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::session::Session;
use super::terms::terms;
use super::{Index, OPERATION_BITS, failed};
use crate::ask::rfc3339;
use crate::store::StoreError;
use crate::vocabulary::VOCABULARY;

/// The most entries of one page.
const MAX_PAGE: u32 = 200;

/// Hits of a search that are looked at for one page. What a filter leaves of them can be less than a page, and
/// the next goes on from there: no question takes long, however common its words are.
const HITS: usize = 1_000;

/// Which sessions.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of these targets alone.
    pub targets: Vec<String>,
    /// Of somebody with this name or subject.
    pub identity: Option<String>,
    /// Of this protocol; without one, all but the record of the control plane itself.
    pub protocol: Option<String>,
    /// With at least one operation that was decided so.
    pub decision: Option<String>,
    /// Whether they go on.
    pub live: Option<bool>,
    /// Opened at this time or later, in microseconds since 1970.
    pub from: Option<u64>,
    /// Opened before this time.
    pub to: Option<u64>,
    /// With words in a statement.
    pub q: Option<String>,
    /// Before this session's number.
    pub before: Option<u64>,
    /// So many at most.
    pub limit: u32,
}

/// Which operations.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    /// Of which sessions; `q`, `before` and `decision` are about the operations.
    pub sessions: Filter,
    /// Of this session alone.
    pub session: Option<u64>,
}

/// Some of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// What the next page begins before.
    pub next: Option<u64>,
}

/// An operation as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OperationRow {
    /// The session's id.
    pub session: String,
    /// The target's name.
    pub target: String,
    /// A name of whoever it was.
    pub name: String,
    /// Its number within the session.
    pub op: u64,
    /// When (RFC 3339).
    pub at: String,
    /// The protocol's name for the message.
    pub kind: String,
    /// The statement's text; what is not UTF-8 in it is U+FFFD, and a long one is cut.
    pub statement: String,
    /// `allow`, `ask-first` or `deny`.
    pub decision: String,
    /// The policies that decided.
    pub policies: Vec<String>,
    /// `completed`, `failed`, `refused` or `aborted`; none while it runs.
    pub status: Option<String>,
    /// Rows that came back.
    pub rows: u64,
    /// Microseconds that it took.
    pub micros: u64,
    /// Values that were masked, by tag.
    pub masked: BTreeMap<String, u64>,
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn limit(asked: u32) -> usize {
    usize::try_from(asked.clamp(1, MAX_PAGE)).unwrap_or_default()
}

type Query = QueryBuilder<Sqlite>;

/// Adds what sessions are wanted. `sessions` must be called `s`.
fn wanted(query: &mut Query, filter: &Filter) {
    // The sign keeps SQLite from going through one target after another, and sorting what it finds.
    query.push(if filter.targets.len() == 1 { " AND s.target IN (" } else { " AND +s.target IN (" });
    let mut targets = query.separated(", ");
    for target in &filter.targets {
        targets.push_bind(target.clone());
    }
    query.push(")");
    if let Some(identity) = &filter.identity {
        query.push(" AND (s.name = ").push_bind(identity.clone());
        query.push(" OR s.subject = ").push_bind(identity.clone()).push(")");
    }
    match &filter.protocol {
        Some(protocol) => query.push(" AND s.protocol = ").push_bind(protocol.clone()),
        None => query.push(" AND s.protocol <> ").push_bind(VOCABULARY.family),
    };
    if let Some(live) = filter.live {
        query.push(if live { " AND s.complete = 0" } else { " AND s.complete = 1" });
    }
    if let Some(from) = filter.from {
        query.push(" AND s.opened >= ").push_bind(signed(from));
    }
    if let Some(to) = filter.to {
        query.push(" AND s.opened < ").push_bind(signed(to));
    }
}

fn decided(query: &mut Query, decision: Option<&str>) {
    query.push(match decision {
        None => "",
        Some("deny") => " AND s.denied > 0",
        Some("ask-first") => " AND s.asked > 0",
        Some("allow") => " AND s.operations > s.denied + s.asked",
        // No operation is decided otherwise.
        Some(_) => " AND false",
    });
}

impl Index {
    /// Sessions, the latest first.
    pub async fn sessions(&self, filter: &Filter) -> Result<Page<Session>, StoreError> {
        let most = limit(filter.limit);
        let Some(query) = filter.q.as_deref().map(terms) else {
            let before = filter.before.map_or(i64::MAX, signed);
            let found = self.sessions_of(filter, before, None, most.saturating_add(1)).await?;
            return Ok(page(found, most, |session| session.number));
        };
        let Some(query) = query else { return Ok(Page { entries: Vec::new(), next: None }) };
        let hits = self.hits(&query, filter.before.map(|number| number << OPERATION_BITS)).await?;
        let mut numbers: Vec<i64> = hits.iter().map(|id| id >> OPERATION_BITS).collect();
        numbers.dedup();
        let found = self.sessions_of(filter, i64::MAX, Some(&numbers), most.saturating_add(1)).await?;
        let mut page = page(found, most, |session| session.number);
        // What was not looked at stands before the last hit that was.
        page.next = page.next.or_else(|| left_at(&hits).map(|id| id >> OPERATION_BITS));
        Ok(page)
    }

    async fn sessions_of(
        &self,
        filter: &Filter,
        before: i64,
        among: Option<&[i64]>,
        most: usize,
    ) -> Result<Vec<Session>, StoreError> {
        let mut query = Query::new("SELECT s.* FROM sessions s WHERE s.number < ");
        query.push_bind(before);
        wanted(&mut query, filter);
        decided(&mut query, filter.decision.as_deref());
        if let Some(among) = among {
            // As one value, for a statement takes only so many.
            let among = serde_json::to_string(among).unwrap_or_default();
            query.push(" AND s.number IN (SELECT value FROM json_each(").push_bind(among).push("))");
        }
        query.push(" ORDER BY s.number DESC LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX));
        let rows = query.build().fetch_all(&self.read).await.map_err(failed)?;
        Ok(rows.iter().map(session).collect())
    }

    /// One session, by its id.
    pub async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE id = ?").bind(id).fetch_optional(&self.read).await;
        Ok(row.map_err(failed)?.as_ref().map(session))
    }

    /// What is stored of a session.
    pub async fn stored(&self, number: u64) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE number = ?").bind(signed(number));
        Ok(row.fetch_optional(&self.read).await.map_err(failed)?.as_ref().map(session))
    }

    /// The names of all targets that sessions were opened on.
    pub async fn targets(&self) -> Result<Vec<String>, StoreError> {
        // Each step leaps to the next name in the index, however many sessions there are.
        let names = sqlx::query_scalar(
            "WITH RECURSIVE known (last) AS (SELECT min(target) FROM sessions UNION ALL \
             SELECT (SELECT min(target) FROM sessions WHERE target > last) FROM known WHERE last IS NOT NULL) \
             SELECT last FROM known WHERE last IS NOT NULL",
        );
        names.fetch_all(&self.read).await.map_err(failed)
    }

    /// How many sessions go on, by their target.
    pub async fn live(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let counted = sqlx::query_as("SELECT target, count(*) FROM sessions WHERE complete = 0 GROUP BY target");
        let counted: Vec<(String, i64)> = counted.fetch_all(&self.read).await.map_err(failed)?;
        Ok(counted.into_iter().map(|(target, count)| (target, u64::try_from(count).unwrap_or_default())).collect())
    }

    /// Operations, the latest session's latest first.
    pub async fn operations(&self, filter: &OperationFilter) -> Result<Page<OperationRow>, StoreError> {
        let most = limit(filter.sessions.limit);
        let Some(query) = filter.sessions.q.as_deref().map(terms) else {
            let before = filter.sessions.before.map_or(i64::MAX, signed);
            let found = self.operations_of(filter, before, None, most.saturating_add(1)).await?;
            return Ok(operations_page(found, most));
        };
        let Some(query) = query else { return Ok(Page { entries: Vec::new(), next: None }) };
        let hits = self.hits(&query, filter.sessions.before).await?;
        let found = self.operations_of(filter, i64::MAX, Some(&hits), most.saturating_add(1)).await?;
        let mut page = operations_page(found, most);
        page.next = page.next.or_else(|| left_at(&hits));
        Ok(page)
    }

    /// The latest hits of a search, from before one on.
    async fn hits(&self, query: &str, before: Option<u64>) -> Result<Vec<i64>, StoreError> {
        sqlx::query_scalar(
            "SELECT rowid FROM searched WHERE searched MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?",
        )
        .bind(query)
        .bind(before.map_or(i64::MAX, signed))
        .bind(i64::try_from(HITS).unwrap_or(i64::MAX))
        .fetch_all(&self.read)
        .await
        .map_err(failed)
    }

    async fn operations_of(
        &self,
        filter: &OperationFilter,
        before: i64,
        among: Option<&[i64]>,
        most: usize,
    ) -> Result<Vec<(u64, OperationRow)>, StoreError> {
        // Through sessions in their order, so that nothing has to be sorted. There is one upper bound, for SQLite
        // ends its walk through the operations by one alone.
        let mut query = Query::new(format!(
            "SELECT o.*, s.id AS session, s.target AS target, s.name AS name FROM sessions s CROSS JOIN operations o \
             ON o.id >= s.number << {OPERATION_BITS} AND o.id < min((s.number + 1) << {OPERATION_BITS}, "
        ));
        query.push_bind(before).push(") WHERE s.number <= ").push_bind(before >> OPERATION_BITS);
        wanted(&mut query, &filter.sessions);
        if let Some(number) = filter.session {
            query.push(" AND s.number = ").push_bind(signed(number));
        }
        if let Some(decision) = &filter.sessions.decision {
            query.push(" AND o.decision = ").push_bind(decision.clone());
            decided(&mut query, Some(decision));
        }
        if let Some(among) = among {
            let (ids, mut numbers) = (among, among.iter().map(|id| id >> OPERATION_BITS).collect::<Vec<_>>());
            numbers.dedup();
            let list = |of: &[i64]| serde_json::to_string(of).unwrap_or_default();
            query.push(" AND s.number IN (SELECT value FROM json_each(").push_bind(list(&numbers)).push("))");
            query.push(" AND o.id IN (SELECT value FROM json_each(").push_bind(list(ids)).push("))");
        }
        query.push(" ORDER BY s.number DESC, o.id DESC LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX));
        let rows = query.build().fetch_all(&self.read).await.map_err(failed)?;
        Ok(rows.iter().map(operation).collect())
    }
}

/// Where a search goes on, if not all of its hits were looked at.
fn left_at(hits: &[i64]) -> Option<u64> {
    hits.last().filter(|_| hits.len() >= HITS).map(|last| last.unsigned_abs())
}

/// Cuts what was found to a page; one more was asked for, to know whether there is a next.
fn page<T>(mut entries: Vec<T>, most: usize, key: impl Fn(&T) -> u64) -> Page<T> {
    let more = entries.len() > most;
    entries.truncate(most);
    let next = entries.last().filter(|_| more).map(key);
    Page { entries, next }
}

fn operations_page(found: Vec<(u64, OperationRow)>, most: usize) -> Page<OperationRow> {
    let Page { entries, next } = page(found, most, |(id, _)| *id);
    Page { entries: entries.into_iter().map(|(_, row)| row).collect(), next }
}

fn session(row: &SqliteRow) -> Session {
    let text = |name: &str| row.get::<String, _>(name);
    let number = |name: &str| row.get::<i64, _>(name).unsigned_abs();
    let (opened, closed) = (number("opened"), row.get::<Option<i64>, _>("closed").map(i64::unsigned_abs));
    Session {
        id: text("id"),
        number: number("number"),
        protocol: text("protocol"),
        target: text("target"),
        client: text("client"),
        application: text("application"),
        identity: serde_json::from_str(&text("who")).unwrap_or_default(),
        opened_at: rfc3339(opened),
        closed_at: closed.map(rfc3339),
        reason: row.get("reason"),
        live: !row.get::<bool, _>("complete") && closed.is_none(),
        operations: number("operations"),
        denied: number("denied"),
        asked: number("asked"),
        masked: number("masked"),
        recovered: row.get("recovered"),
        problem: row.get("problem"),
        opened,
        closed,
        seq: number("seq"),
    }
}

fn operation(row: &SqliteRow) -> (u64, OperationRow) {
    let text = |name: &str| row.get::<String, _>(name);
    let number = |name: &str| row.get::<i64, _>(name).unsigned_abs();
    let id = number("id");
    let shown = OperationRow {
        session: text("session"),
        target: text("target"),
        name: text("name"),
        op: id & ((1 << OPERATION_BITS) - 1),
        at: rfc3339(number("at")),
        kind: text("kind"),
        statement: text("statement"),
        decision: text("decision"),
        policies: serde_json::from_str(&text("policies")).unwrap_or_default(),
        status: row.get("status"),
        rows: number("rows"),
        micros: number("micros"),
        masked: serde_json::from_str(&text("masked")).unwrap_or_default(),
    };
    (id, shown)
}
