//! The permit: the proof, in types, that an operation may be forwarded; and the operation's end.
//!
//! Only the pipeline makes permits. A permit that is dropped without an outcome records an abort.

use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::unix_micros;
use crate::gate::Shared;
use crate::masking::view::Counts;
use crate::masking::{Field, Masked, View};
use crate::recording::{Event, Status, Stream, Text};
use crate::refusal::Refusal;
use crate::sessions::EndReason;

/// That one operation may be forwarded. It is not `Clone`: one decision, one operation.
#[derive(Debug)]
pub struct Permit {
    session: Arc<Shared>,
    op: u64,
    since: SystemTime,
    view: Option<Arc<View>>,
    masked: Counts,
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
    pub(crate) fn new(session: Arc<Shared>, op: u64, since: SystemTime, view: Option<Arc<View>>) -> Self {
        Self { session, op, since, view, masked: Counts::default(), finished: false }
    }

    pub(crate) fn belongs_to(&self, session: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.session, session)
    }

    /// The operation's number within its session, from 1.
    pub const fn number(&self) -> u64 {
        self.op
    }

    /// What is hidden from this session, by the policies that decided this operation; `None` where
    /// nothing is, so that replies need not be looked at.
    pub const fn view(&self) -> Option<&Arc<View>> {
        self.view.as_ref()
    }

    /// Shows a value of the reply as the client and the record may see it, and counts it where it
    /// is masked. `value` is the value's text form wherever it may be shown in part: it is looked
    /// at, hashed and cut as that, so that the same value has the same hash in every encoding.
    pub fn mask<'v>(&mut self, field: &Field, value: &'v [u8]) -> Masked<'v> {
        match &self.view {
            Some(view) => view.mask(field, value, &mut self.masked),
            None => Masked::clear(value),
        }
    }

    /// Records bytes of a terminal or of a program's stream, as the client got or sent them.
    pub fn record_stream(&self, stream: Stream, data: &Masked<'_>) -> Result<(), Refusal> {
        let data = Text(data.bytes().unwrap_or_default().into());
        self.session.append(self.session.now(), &Event::Terminal { op: self.op, stream, data })
    }

    /// Records the size that the client's terminal has from now on.
    pub fn record_size(&self, columns: u32, rows: u32) -> Result<(), Refusal> {
        self.session.append(self.session.now(), &Event::Resize { op: self.op, columns, rows })
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
        let masked = self.view.iter().flat_map(|view| view.named(&self.masked));
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
                masked: masked.map(|(tag, count)| (tag.name().into(), count)).collect(),
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
