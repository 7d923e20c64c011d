//! Decorators around core's ports that count what passes through them, and change nothing.
//!
//! On the way of an operation they cost a few atomic additions. Reading the clock twice costs more
//! than all of them together (80 ns on a virtual machine), so only some decisions are timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use portcullis_core::BoxFuture;
use portcullis_core::identity::{Discovery, Identity, IdentityError, IdentitySource, Proof};
use portcullis_core::policy::{Policy, Question, Ruling};
use portcullis_core::recording::{Event, Opening, RecordError, Recorder, Recording};
use prometheus::IntCounter;

use super::{Metrics, TargetMetrics};

/// One decision in so many is timed. It is a prime, so that no rhythm of a client's operations
/// falls in with it.
const TIMED: u32 = 17;

/// Counts all decisions and times some, for one target.
pub struct MeteredPolicy {
    inner: Arc<dyn Policy>,
    metrics: Arc<TargetMetrics>,
    turn: AtomicU32,
}

impl MeteredPolicy {
    /// Counts what `inner` decides.
    pub const fn new(inner: Arc<dyn Policy>, metrics: Arc<TargetMetrics>) -> Self {
        Self { inner, metrics, turn: AtomicU32::new(0) }
    }

    fn timed(&self, question: &Question<'_>) -> Arc<Ruling> {
        let begin = Instant::now();
        let ruling = self.inner.decide(question);
        self.metrics.decision_seconds.observe(begin.elapsed().as_secs_f64());
        ruling
    }
}

impl Policy for MeteredPolicy {
    fn decide(&self, question: &Question<'_>) -> Arc<Ruling> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let ruling = if turn.is_multiple_of(TIMED) { self.timed(question) } else { self.inner.decide(question) };
        let first = question.effects.list().first();
        let action = first.and_then(|effect| self.metrics.actions.get(&effect.action));
        action.unwrap_or(&self.metrics.unknown_action).of(&ruling.decision).inc();
        ruling
    }

    fn decide_lasting(&self, question: &Question<'_>) -> (Arc<Ruling>, bool) {
        // What a session may see is no operation, and is not counted as one.
        self.inner.decide_lasting(question)
    }
}

/// Counts sessions, outcomes and failing records, for one target.
pub struct MeteredRecorder {
    /// What records.
    pub inner: Arc<dyn Recorder>,
    /// Where it is counted.
    pub metrics: Arc<TargetMetrics>,
}

impl Recorder for MeteredRecorder {
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn Recording>, RecordError> {
        let inner = self.inner.open(opening).inspect_err(|why| {
            self.metrics.record_failures.inc();
            tracing::error!(target = %opening.subject.target, error = %why, "a session cannot be recorded, so it does not begin");
        })?;
        self.metrics.sessions.inc();
        self.metrics.sessions_open.inc();
        Ok(Box::new(MeteredRecording { inner, metrics: Arc::clone(&self.metrics) }))
    }
}

struct MeteredRecording {
    inner: Box<dyn Recording>,
    metrics: Arc<TargetMetrics>,
}

impl MeteredRecording {
    fn failed(&self, why: &RecordError) {
        self.metrics.record_failures.inc();
        tracing::error!(session = self.inner.id(), error = %why, "the recording failed, so nothing more passes in this session");
    }
}

impl Recording for MeteredRecording {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn append(&self, at: u64, event: &Event<'_>) -> Result<(), RecordError> {
        if let Event::Outcome { status, rows, bytes, masked, .. } = event {
            self.metrics.outcome(*status).inc();
            self.metrics.rows.inc_by(*rows);
            self.metrics.bytes.inc_by(*bytes);
            masked.values().for_each(|count| self.metrics.masked.inc_by(*count));
        }
        self.inner.append(at, event).inspect_err(|why| self.failed(why))
    }

    fn commit(&self) -> Result<(), RecordError> {
        self.inner.commit().inspect_err(|why| self.failed(why))
    }
}

impl Drop for MeteredRecording {
    fn drop(&mut self) {
        self.metrics.sessions_open.dec();
    }
}

/// Counts logins by result.
pub struct MeteredIdentity {
    inner: Arc<dyn IdentitySource>,
    accepted: IntCounter,
    rejected: IntCounter,
    expired: IntCounter,
    unavailable: IntCounter,
}

impl MeteredIdentity {
    /// Counts what `inner` says.
    pub fn new(inner: Arc<dyn IdentitySource>, metrics: &Metrics) -> Self {
        Self {
            inner,
            accepted: metrics.login("accepted"),
            rejected: metrics.login("rejected"),
            expired: metrics.login("expired"),
            unavailable: metrics.login("unavailable"),
        }
    }
}

impl IdentitySource for MeteredIdentity {
    fn identify<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        Box::pin(async move {
            let result = self.inner.identify(proof).await;
            let counter = match &result {
                Ok(_) => &self.accepted,
                Err(IdentityError::Rejected(_)) => &self.rejected,
                Err(IdentityError::Expired) => &self.expired,
                Err(IdentityError::Unavailable(_)) => &self.unavailable,
            };
            counter.inc();
            result
        })
    }

    fn discovery(&self) -> Option<Discovery> {
        self.inner.discovery()
    }
}
