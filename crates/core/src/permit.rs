//! The permit: the proof, in types, that an operation may be forwarded; and the operation's end.
//!
//! Only the pipeline makes permits. A permit that is dropped without an outcome records an abort.

use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::unix_micros;
use crate::gate::Shared;
use crate::masking::{Field, Masked};
use crate::recording::{Event, Status};
use crate::refusal::Refusal;
use crate::sessions::EndReason;

/// That one operation may be forwarded. It is not `Clone`: one decision, one operation.
#[derive(Debug)]
pub struct Permit {
    session: Arc<Shared>,
    op: u64,
    since: SystemTime,
    finished: bool,
}

/// How a permitted operation ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// Completed or failed.
    pub status: Status,
    /// What the target said of it.
    pub message: Masked<'a>,
    /// The target's error code, empty where there is none.
    pub code: &'a str,
    /// Rows returned.
    pub rows: u64,
    /// Bytes returned to the client.
    pub bytes: u64,
}

impl Permit {
    pub(crate) const fn new(session: Arc<Shared>, op: u64, since: SystemTime) -> Self {
        Self { session, op, since, finished: false }
    }

    pub(crate) fn belongs_to(&self, session: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.session, session)
    }

    /// The operation's number within its session, from 1.
    pub const fn number(&self) -> u64 {
        self.op
    }

    /// Shows a value of the reply as the client and the record may see it.
    pub fn mask<'v>(&mut self, field: &Field<'_>, value: &'v [u8]) -> Masked<'v> {
        if field.tags.is_empty() { Masked::clear(value) } else { Masked::redacted() }
    }

    /// Waits until the session must stop at once, and says why.
    pub async fn revoked(&self) -> EndReason {
        self.session.ended().await
    }

    /// Records how the operation ended.
    pub fn finish(mut self, outcome: &Outcome<'_>) -> Result<(), Refusal> {
        self.finished = true;
        self.record(outcome)
    }

    fn record(&self, outcome: &Outcome<'_>) -> Result<(), Refusal> {
        let now = self.session.now();
        self.session.append(
            now,
            &Event::Outcome {
                op: self.op,
                status: outcome.status,
                message: outcome.message.text(),
                code: outcome.code.into(),
                rows: outcome.rows,
                bytes: outcome.bytes,
                micros: unix_micros(now).saturating_sub(unix_micros(self.since)),
            },
        )
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let aborted = Outcome { status: Status::Aborted, message: Masked::clear(b""), code: "", rows: 0, bytes: 0 };
        // A failing recorder is remembered by the session, which refuses everything after it.
        let _ = self.record(&aborted);
    }
}
