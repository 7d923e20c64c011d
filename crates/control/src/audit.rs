//! The record of what people do in the control plane: a recording of its own, sealed and verified like any
//! session's. Nothing is done before it is written there that it begins. It does not know who may do what.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::clock::{Clock, unix_micros};
use portcullis_core::identity::{Identity, Kind};
use portcullis_core::operation::{Effect, Effects, Facts, Resource};
use portcullis_core::policy::{Ruling, Subject};
use portcullis_core::recording::{Event, Opening, RecordError, Recorder, Recording, Status, Text};
use portcullis_core::vocabulary::Action;
use serde::Serialize;

use crate::ask::Person;
use crate::store::{AuditEntry, Sqlite, StoreError};
use crate::vocabulary::{PLANE, VOCABULARY};

/// Answers an ask. Being one of its approvers is what permits it, so policies do not know the word.
pub const ASKS_ANSWER: Action = Action::new("control:asks:answer");

/// Signs in to the page. Whom an issuer of the gate's own proves may, and sees what policies permit.
pub const SIGN_IN: Action = Action::new("control:sign-in");

/// What is written as the reason where no policy had to permit it.
const THEIRS: &str = "it is for them";

/// Why something is not done: it cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Not in the recording.
    #[error("the recording of the control plane failed: {0}")]
    Record(#[from] RecordError),
    /// Not in its index.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread that writes failed.
    #[error("the record could not be written")]
    Writer,
}

/// Something that somebody is about to do.
#[derive(Debug, Clone, Serialize)]
pub struct Deed {
    /// Who.
    pub who: Person,
    /// From where.
    pub address: IpAddr,
    /// What policies call it.
    #[serde(serialize_with = "name")]
    pub action: Action,
    /// The target that it is about, or the control plane.
    pub target: String,
    /// The thing that it is done to: `ask 1abc`.
    pub what: String,
    /// How, and why.
    pub detail: String,
}

fn name<S: serde::Serializer>(action: &Action, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(action.name())
}

/// Writes down what people do.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    recorder: Arc<dyn Recorder>,
    clock: Arc<dyn Clock>,
    store: Arc<Sqlite>,
    current: Mutex<Option<Arc<Book>>>,
}

/// One recording of the control plane.
struct Book {
    recording: Box<dyn Recording>,
    clock: Arc<dyn Clock>,
    operations: AtomicU64,
}

/// Something that was begun. Without [`end`](Begun::end) it counts as aborted.
pub struct Begun {
    audit: Arc<Inner>,
    book: Arc<Book>,
    op: u64,
    since: u64,
    seq: i64,
    over: bool,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

impl Audit {
    /// Into recordings that this recorder opens, with their index in this store.
    pub fn new(recorder: Arc<dyn Recorder>, clock: Arc<dyn Clock>, store: Arc<Sqlite>) -> Self {
        Self(Arc::new(Inner { recorder, clock, store, current: Mutex::default() }))
    }

    /// Writes down that something begins, and what permits it. An error means that it must not.
    pub async fn begin(&self, deed: Deed, ruling: Option<Arc<Ruling>>) -> Result<Begun, AuditError> {
        let (inner, written) = (Arc::clone(&self.0), deed.clone());
        let at = unix_micros(self.0.clock.now());
        let recorded = tokio::task::spawn_blocking(move || inner.record(&written, ruling.as_deref(), at)).await;
        let (book, op) = recorded.map_err(|_| AuditError::Writer)??;
        // From here on the record has a beginning; if this is all that comes of it, it says aborted.
        let mut begun = Begun { audit: Arc::clone(&self.0), book, op, since: at, seq: 0, over: false };
        begun.seq = self.0.store.add_deed(&deed, begun.book.recording.id(), op, at).await?;
        Ok(begun)
    }

    /// What was done, the latest first, from before an entry on.
    pub async fn entries(&self, before: Option<i64>, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.0.store.deeds(before, most).await
    }
}

impl Inner {
    fn record(&self, deed: &Deed, ruling: Option<&Ruling>, at: u64) -> Result<(Arc<Book>, u64), RecordError> {
        let book = self.book(at)?;
        let written = book.begin(deed, ruling, at);
        if written.is_err() {
            // A recording that failed once is not written on: the next deed begins another.
            self.lock().take_if(|current| Arc::ptr_eq(current, &book));
        }
        written.map(|op| (book, op))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Book>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self, at: u64) -> Result<Arc<Book>, RecordError> {
        let mut current = self.lock();
        if let Some(book) = current.as_ref() {
            return Ok(Arc::clone(book));
        }
        let now = self.clock.now();
        // The recording is the control plane's own: each deed in it says who did it.
        let plane = Identity {
            issuer: PLANE.to_owned(),
            subject: String::from("control"),
            kind: Kind::Workload,
            groups: Vec::new(),
            email: None,
            actors: Vec::new(),
            token: None,
            authenticated: None,
            expires: now,
        };
        let client = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let subject = Subject::new(plane, PLANE.to_owned(), Vec::new(), VOCABULARY.family, client, String::new(), now);
        let recording = self.recorder.open(&Opening { subject: &subject, protocol: VOCABULARY.family, at })?;
        let book = Arc::new(Book { recording, clock: Arc::clone(&self.clock), operations: AtomicU64::new(0) });
        *current = Some(Arc::clone(&book));
        Ok(book)
    }
}

impl Book {
    fn begin(&self, deed: &Deed, ruling: Option<&Ruling>, at: u64) -> Result<u64, RecordError> {
        let statement = serde_json::to_vec(deed).map_err(|why| RecordError(why.to_string()))?;
        let effect = Effect { action: deed.action, resource: Resource::target(), facts: Facts::new() };
        let effects = Effects::new(vec![effect]);
        let op = self.operations.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let asked = Event::Operation {
            op,
            kind: deed.action.name().into(),
            statement: Text(statement.into()),
            parameters: 0,
            types: [].as_slice().into(),
            effects: std::borrow::Cow::Borrowed(effects.json()),
        };
        self.recording.append(at, &asked)?;
        let decided = Event::Decision {
            op,
            decision: "allow".into(),
            policies: ruling.map_or(&[][..], |ruling| &ruling.policies).into(),
            reason: ruling.map_or(THEIRS, |ruling| &ruling.reason).into(),
            revision: ruling.map_or("", |ruling| &ruling.revision).into(),
        };
        self.recording.append(at, &decided)?;
        self.recording.commit()?;
        Ok(op)
    }

    fn end(&self, op: u64, since: u64, status: Status, code: &str) -> Result<(), RecordError> {
        let at = unix_micros(self.clock.now());
        let outcome = Event::Outcome {
            op,
            status,
            message: "".into(),
            code: code.into(),
            rows: 0,
            bytes: 0,
            micros: at.saturating_sub(since),
            masked: std::collections::BTreeMap::new(),
        };
        self.recording.append(at, &outcome)?;
        self.recording.commit()
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        let operations = self.operations.load(Ordering::Relaxed);
        let closed = Event::Closed { reason: "the control plane stopped".into(), operations };
        // Nothing is done after this, so a failure here loses no deed.
        let _ = self.recording.append(unix_micros(self.clock.now()), &closed);
        let _ = self.recording.commit();
    }
}

impl Begun {
    /// Writes down what came of it: `refused` is the code of a failure. The deed is done by now, so a
    /// failure here is told to the operator; the recording that failed is not used for another.
    pub async fn end(mut self, refused: Option<&str>) {
        self.over = true;
        let (book, op, since) = (Arc::clone(&self.book), self.op, self.since);
        let status = if refused.is_none() { Status::Completed } else { Status::Refused };
        let code = refused.unwrap_or_default().to_owned();
        let word = if code.is_empty() { String::from("done") } else { code.clone() };
        let ended = tokio::task::spawn_blocking(move || book.end(op, since, status, &code)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!(op, "what came of a deed in the control plane could not be recorded");
            self.audit.lock().take_if(|current| Arc::ptr_eq(current, &self.book));
        }
        if let Err(why) = self.audit.store.end_deed(self.seq, &word).await {
            tracing::error!(error = %why, op, "what came of a deed in the control plane could not be stored");
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.over && self.book.end(self.op, self.since, Status::Aborted, "").is_err() {
            tracing::error!(op = self.op, "a deed in the control plane that was aborted could not be recorded");
        }
    }
}
