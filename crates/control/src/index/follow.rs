//! Taking recordings in: what is new of each open session, batch by batch, from where the index is. What
//! one batch brings and how far it goes are stored together, so nothing is taken in twice.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};
use tokio::sync::broadcast;

use super::session::{Change, Session};
use super::{Index, OPERATION_BITS, failed};
use crate::archive::{Archive, Events};
use crate::store::StoreError;

/// How often is looked for more.
const LOOK: Duration = Duration::from_secs(1);

/// The most events that are taken in at once.
const BATCH: usize = 5_000;

/// Operations that are stored by one statement.
const TOGETHER: usize = 64;

/// The most recordings that are kept open to be read on.
const MAX_OPEN: usize = 64;

/// Changes that a slow listener may be behind before it has to look for itself.
const BEHIND: usize = 1_024;

/// Takes in what an archive has.
pub struct Follower {
    index: Index,
    archive: Arc<dyn Archive>,
    changed: broadcast::Sender<u64>,
    /// What the files of a session were like when they were read last.
    marks: HashMap<u64, [u64; 3]>,
    open: HashMap<u64, Box<dyn Events>>,
    /// Those that are open, the one that was read longest ago first.
    order: VecDeque<u64>,
}

/// What was read of one session.
struct Read {
    session: Session,
    changes: BTreeMap<u64, Change>,
    events: Option<Box<dyn Events>>,
    /// There is more already.
    more: bool,
    complete: bool,
}

impl Follower {
    /// A follower of an archive, and what tells of the numbers of sessions that have changed.
    pub fn new(index: Index, archive: Arc<dyn Archive>) -> (Self, broadcast::Sender<u64>) {
        let changed = broadcast::Sender::new(BEHIND);
        let follower = Self {
            index,
            archive,
            changed: changed.clone(),
            marks: HashMap::new(),
            open: HashMap::new(),
            order: VecDeque::new(),
        };
        (follower, changed)
    }

    /// Follows until it is dropped. What fails is tried again.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(why) = self.look().await {
                tracing::error!(error = %why, "the index of sessions is behind");
            }
        }
    }

    /// Takes in all that there is now.
    pub async fn look(&mut self) -> Result<(), StoreError> {
        let (known, first) = self.index.unfinished().await?;
        let archive = Arc::clone(&self.archive);
        let new = blocking(move || archive.numbers(first).map_err(failed)).await?;
        for number in known.into_iter().chain(new) {
            let mark = self.archive.mark(number);
            if self.marks.get(&number) == Some(&mark) {
                continue;
            }
            while self.take_in(number).await? {}
            self.marks.insert(number, mark);
        }
        Ok(())
    }

    /// Takes in one batch of a session; says whether there is more.
    async fn take_in(&mut self, number: u64) -> Result<bool, StoreError> {
        let session = self.index.stored(number).await?.unwrap_or_else(|| Session { number, ..Session::default() });
        let (archive, events) = (Arc::clone(&self.archive), self.taken(number));
        let read = blocking(move || Ok(read(&*archive, session, events))).await?;
        self.index.keep(&read.session, &read.changes, read.complete).await?;
        // Nobody may be listening.
        let _ = self.changed.send(number);
        match read.events.filter(|_| !read.complete) {
            Some(events) => self.put_back(number, events),
            None => drop(self.marks.remove(&number)),
        }
        Ok(read.more && !read.complete)
    }

    fn taken(&mut self, number: u64) -> Option<Box<dyn Events>> {
        self.order.retain(|other| *other != number);
        self.open.remove(&number)
    }

    fn put_back(&mut self, number: u64, events: Box<dyn Events>) {
        if self.order.len() >= MAX_OPEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        self.order.push_back(number);
        self.open.insert(number, events);
    }
}

/// Reads a batch. What cannot be read ends the session for the index, with the reason.
fn read(archive: &dyn Archive, mut session: Session, events: Option<Box<dyn Events>>) -> Read {
    let mut changes = BTreeMap::new();
    let opened = match events {
        Some(mut events) => events.again().map(|()| events),
        None => archive.open(session.number),
    };
    let mut events = match opened {
        Ok(events) => events,
        Err(why) => {
            session.problem = Some(why.to_string());
            return Read { session, changes, events: None, more: false, complete: true };
        }
    };
    let before = session.seq;
    while session.seq.saturating_sub(before) < BATCH as u64 {
        match events.next() {
            Some(Ok(recorded)) => session.add(&recorded, &mut changes),
            Some(Err(why)) => {
                session.problem = Some(why.to_string());
                return Read { session, changes, events: None, more: false, complete: true };
            }
            None => {
                let complete = events.is_complete();
                return Read { session, changes, events: Some(events), more: false, complete };
            }
        }
    }
    Read { session, changes, events: Some(events), more: true, complete: false }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Index {
    /// The sessions that are not read to their end, and the number of the first that is not known.
    async fn unfinished(&self) -> Result<(Vec<u64>, u64), StoreError> {
        let open: Vec<i64> = sqlx::query_scalar("SELECT number FROM sessions WHERE complete = 0 ORDER BY number")
            .fetch_all(&self.read)
            .await
            .map_err(failed)?;
        let last: Option<i64> =
            sqlx::query_scalar("SELECT max(number) FROM sessions").fetch_one(&self.read).await.map_err(failed)?;
        let first = last.map_or(0, |last| last.unsigned_abs().saturating_add(1));
        Ok((open.into_iter().map(i64::unsigned_abs).collect(), first))
    }

    /// Stores what is new of a session, all or nothing.
    async fn keep(&self, session: &Session, changes: &BTreeMap<u64, Change>, complete: bool) -> Result<(), StoreError> {
        let mut write = self.write.begin().await.map_err(failed)?;
        keep_session(&mut write, session, complete).await.map_err(failed)?;
        // What no id is left for is found in the recording alone.
        let kept = changes.values().filter(|change| change.op < 1 << OPERATION_BITS);
        let (new, known): (Vec<&Change>, Vec<&Change>) = kept.partition(|change| change.new.is_some());
        for some in new.chunks(TOGETHER) {
            keep_new(&mut write, session.number, some).await.map_err(failed)?;
        }
        for change in known {
            keep_change(&mut write, session.number, change).await.map_err(failed)?;
        }
        write.commit().await.map_err(failed)
    }
}

async fn keep_session(to: &mut SqliteConnection, session: &Session, complete: bool) -> Result<(), sqlx::Error> {
    let who = serde_json::to_string(&session.identity).unwrap_or_default();
    sqlx::query(
        "INSERT INTO sessions (number, id, protocol, target, client, application, who, name, subject, opened, closed, \
         reason, operations, denied, asked, masked, recovered, problem, seq, complete) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (number) DO UPDATE SET id = excluded.id, protocol = excluded.protocol, target = excluded.target, \
         client = excluded.client, application = excluded.application, who = excluded.who, name = excluded.name, \
         subject = excluded.subject, opened = excluded.opened, closed = excluded.closed, reason = excluded.reason, \
         operations = excluded.operations, denied = excluded.denied, asked = excluded.asked, masked = excluded.masked, \
         recovered = excluded.recovered, problem = excluded.problem, seq = excluded.seq, complete = excluded.complete",
    )
    .bind(signed(session.number))
    .bind(&session.id)
    .bind(&session.protocol)
    .bind(&session.target)
    .bind(&session.client)
    .bind(&session.application)
    .bind(who)
    .bind(&session.identity.name)
    .bind(&session.identity.subject)
    .bind(signed(session.opened))
    .bind(session.closed.map(signed))
    .bind(&session.reason)
    .bind(signed(session.operations))
    .bind(signed(session.denied))
    .bind(signed(session.asked))
    .bind(signed(session.masked))
    .bind(session.recovered)
    .bind(&session.problem)
    .bind(signed(session.seq))
    .bind(complete)
    .execute(to)
    .await
    .map(drop)
}

/// The id of an operation in the index.
fn id(number: u64, op: u64) -> i64 {
    signed(number << OPERATION_BITS | op)
}

/// Stores operations that are new, with all that one batch brings of them: most are whole.
async fn keep_new(to: &mut SqliteConnection, number: u64, changes: &[&Change]) -> Result<(), sqlx::Error> {
    let whole = changes.iter().filter_map(|change| Some((id(number, change.op), *change, change.new.as_ref()?)));
    let mut insert = QueryBuilder::<Sqlite>::new(
        "INSERT INTO operations (id, at, kind, statement, decision, policies, status, rows, micros, masked) ",
    );
    insert.push_values(whole.clone(), |mut row, (id, change, (at, kind, statement))| {
        let (decision, policies) = change.decision.clone().unwrap_or_default();
        let ended = change.outcome.clone().unwrap_or_default();
        row.push_bind(id).push_bind(signed(*at)).push_bind(kind).push_bind(statement).push_bind(decision);
        row.push_bind(serde_json::to_string(&policies).unwrap_or_default());
        row.push_bind(change.outcome.as_ref().map(|ended| ended.status));
        row.push_bind(signed(ended.rows)).push_bind(signed(ended.micros));
        row.push_bind(serde_json::to_string(&ended.masked).unwrap_or_default());
    });
    insert.build().execute(&mut *to).await?;
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO searched (rowid, statement) ");
    insert.push_values(whole, |mut row, (id, _, (_, _, statement))| {
        row.push_bind(id).push_bind(statement);
    });
    insert.build().execute(to).await.map(drop)
}

/// Stores what is new of an operation that is known.
async fn keep_change(to: &mut SqliteConnection, number: u64, change: &Change) -> Result<(), sqlx::Error> {
    let id = id(number, change.op);
    if let Some((decision, policies)) = &change.decision {
        sqlx::query("UPDATE operations SET decision = ?, policies = ? WHERE id = ?")
            .bind(decision)
            .bind(serde_json::to_string(policies).unwrap_or_default())
            .bind(id)
            .execute(&mut *to)
            .await?;
    }
    if let Some(outcome) = &change.outcome {
        sqlx::query("UPDATE operations SET status = ?, rows = ?, micros = ?, masked = ? WHERE id = ?")
            .bind(outcome.status)
            .bind(signed(outcome.rows))
            .bind(signed(outcome.micros))
            .bind(serde_json::to_string(&outcome.masked).unwrap_or_default())
            .bind(id)
            .execute(&mut *to)
            .await?;
    }
    Ok(())
}
