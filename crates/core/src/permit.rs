//! The permit: the proof, in types, that an operation may be forwarded; and the operation's end.
//!
//! Only the pipeline makes permits. A permit that is dropped without an outcome records an abort.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::unix_micros;
use crate::gate::Shared;
use crate::masking::view::Counts;
use crate::masking::{Field, Masked, View};
use crate::recording::{Column, Event, Status, Stream, Text};
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
    results: Results,
    finished: bool,
}

/// Rows of about so many bytes are one event.
const ROWS_TOGETHER: usize = 4 << 10;

/// The rows of an operation that are recorded.
#[derive(Debug, Default)]
struct Results {
    /// How many more bytes are.
    room: usize,
    rows: Vec<Vec<Option<Text<'static>>>>,
    /// Bytes of `rows`.
    waiting: usize,
}

impl Results {
    fn up_to(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    /// Takes room for this much, or gives up all that is left.
    fn take(&mut self, size: usize) -> bool {
        let fits = size <= self.room && self.room > 0;
        self.room = if fits { self.room.saturating_sub(size) } else { 0 };
        fits
    }
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
    pub(crate) fn new(
        session: Arc<Shared>,
        op: u64,
        since: SystemTime,
        view: Option<Arc<View>>,
        results: usize,
    ) -> Self {
        Self { session, op, since, view, masked: Counts::default(), results: Results::up_to(results), finished: false }
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

    /// How many more bytes of results are recorded of this operation: rows longer than this need
    /// not be read for the record.
    pub const fn recorded_room(&self) -> usize {
        self.results.room
    }

    /// Records what the rows that follow are made of, if there is room for any.
    pub fn record_columns(&mut self, columns: &[Column]) -> Result<(), Refusal> {
        self.record_rows()?;
        let size = columns.iter().map(|column| column.name.len().saturating_add(column.kind.len())).sum();
        if !self.results.take(size) {
            return Ok(());
        }
        let event = Event::Columns { op: self.op, columns: columns.into() };
        self.session.append(self.session.now(), &event)
    }

    /// Records a row as its client gets it. The first that there is no room for ends what is
    /// recorded of this operation's rows. Rows are written together, at the latest with the outcome.
    pub fn record_row(&mut self, values: Vec<Option<Masked<'_>>>) -> Result<(), Refusal> {
        let size = values.iter().map(|value| value.as_ref().and_then(Masked::bytes).map_or(4, <[u8]>::len)).sum();
        if !self.results.take(size) {
            return Ok(());
        }
        let text = |value: Masked<'_>| Some(Text(Cow::Owned(value.into_bytes()?.into_owned())));
        self.results.rows.push(values.into_iter().map(|value| value.and_then(text)).collect());
        self.results.waiting = self.results.waiting.saturating_add(size);
        if self.results.waiting >= ROWS_TOGETHER { self.record_rows() } else { Ok(()) }
    }

    /// Records no more rows of this operation.
    pub const fn record_no_more(&mut self) {
        self.results.room = 0;
    }

    fn record_rows(&mut self) -> Result<(), Refusal> {
        if self.results.rows.is_empty() {
            return Ok(());
        }
        self.results.waiting = 0;
        let rows = std::mem::take(&mut self.results.rows);
        self.session.append(self.session.now(), &Event::Rows { op: self.op, rows })
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

    fn record(&mut self, outcome: &Outcome<'_>) -> Result<(), Refusal> {
        self.record_rows()?;
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
