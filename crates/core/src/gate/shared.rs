//! What the parts of one session share: its recording, its subject, its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

use super::views::Views;
use crate::clock::unix_micros;
use crate::gate::{Ports, TargetSpec};
use crate::masking::Tags;
use crate::operation::Effects;
use crate::permit::Permit;
use crate::policy::{Question, Ruling, Subject};
use crate::recording::{Event, RecordError, Recording};
use crate::refusal::Refusal;
use crate::sessions::{EndReason, Ending};

pub(crate) struct Shared {
    pub(crate) ports: Ports,
    pub(crate) subject: Subject,
    recording: Box<dyn Recording>,
    ending: watch::Receiver<Ending>,
    operations: AtomicU64,
    /// Once the recorder has failed, nothing passes any more.
    unrecordable: AtomicBool,
    closing: Mutex<Option<String>>,
    views: Views,
    /// How many bytes of an operation's results are recorded.
    results: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("session", &self.recording.id()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(
        ports: Ports,
        subject: Subject,
        recording: Box<dyn Recording>,
        ending: watch::Receiver<Ending>,
        target: &TargetSpec,
    ) -> Arc<Self> {
        Arc::new(Self {
            ports,
            subject,
            recording,
            ending,
            operations: AtomicU64::new(0),
            unrecordable: AtomicBool::new(false),
            closing: Mutex::new(None),
            views: Views::new(target.masking.clone()),
            results: target.recorded_results,
        })
    }

    pub(crate) fn id(&self) -> &str {
        self.recording.id()
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.ports.clock.now()
    }

    pub(crate) fn next_operation(&self) -> u64 {
        self.operations.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    pub(crate) fn ending(&self) -> Ending {
        if self.unrecordable.load(Ordering::Relaxed) {
            return Ending::Now(EndReason::RecorderFailed);
        }
        *self.ending.borrow()
    }

    pub(crate) fn endings(&self) -> watch::Receiver<Ending> {
        self.ending.clone()
    }

    /// Waits until the session must stop at once.
    pub(crate) async fn ended(&self) -> EndReason {
        let mut heard = self.ending.clone();
        let now = heard.wait_for(|ending| matches!(ending, Ending::Now(_))).await.map(|ending| *ending);
        match now {
            Ok(Ending::Now(reason)) => reason,
            // The registry is gone: the process is ending.
            _ => EndReason::Drain,
        }
    }

    pub(crate) fn rule(&self, effects: &Effects, now: SystemTime) -> Arc<Ruling> {
        self.ports.policy.decide(&Question { subject: &self.subject, effects, now })
    }

    /// The one place where permits are made. The caller has recorded the decision, which is `ruling`.
    pub(super) fn admit(session: &Arc<Self>, op: u64, since: SystemTime, ruling: &Ruling) -> Permit {
        let policy = &*session.ports.policy;
        let view = session.views.of(policy, &session.subject, &ruling.revision, since);
        Permit::new(Arc::clone(session), op, since, view, session.results)
    }

    /// Of these tags, the names of those that are hidden from this session under a ruling's revision.
    pub(super) fn hidden(&self, ruling: &Ruling, now: SystemTime, tags: Tags) -> Vec<String> {
        let Some(view) = self.views.of(&*self.ports.policy, &self.subject, &ruling.revision, now) else {
            return Vec::new();
        };
        view.rules().names(view.hidden(tags)).map(|tag| tag.name().to_owned()).collect()
    }

    pub(crate) fn append(&self, at: SystemTime, event: &Event<'_>) -> Result<(), Refusal> {
        let done = self.recording.append(unix_micros(at), event);
        self.noticing(done)
    }

    pub(crate) fn commit(&self) -> Result<(), Refusal> {
        if self.unrecordable.load(Ordering::Relaxed) {
            return Err(Refusal::NotRecorded);
        }
        let done = self.recording.commit();
        self.noticing(done)
    }

    fn noticing(&self, done: Result<(), RecordError>) -> Result<(), Refusal> {
        done.map_err(|_| {
            self.unrecordable.store(true, Ordering::Relaxed);
            Refusal::NotRecorded
        })
    }

    pub(crate) fn close(&self, reason: String) {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let told = self.closing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reason = match told {
            Some(reason) => reason,
            None if std::thread::panicking() => String::from("the gate failed while it served this session"),
            None => String::from("the connection ended"),
        };
        let closed = Event::Closed { reason: reason.into(), operations: self.operations.load(Ordering::Relaxed) };
        // Nothing passes after this, so a failure here loses no operation.
        let _ = self.recording.append(unix_micros(self.now()), &closed);
        let _ = self.recording.commit();
        self.ports.sessions.leave(self.recording.id());
    }
}
