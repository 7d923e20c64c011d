//! What of a channel is shown and what is recorded: one permit for both directions.
//!
//! Text is masked before it is either. Bytes of files are neither masked nor recorded, only counted.
//! What is typed into a terminal is not recorded: where it may be read, the terminal echoes it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use portcullis_core::masking::Field;
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::recording::{Status, Stream};
use portcullis_core::refusal::Refusal;

use crate::mask::Masker;

/// The most bytes of one command that are recorded, all its streams together. Terminals have no such
/// limit.
const RECORDED: usize = 16 << 20;
/// Where the recording of a command ends before the command does.
const CUT: &[u8] = b"[portcullis: what follows is not recorded]";

/// What passes through a channel, as it is shown and recorded.
pub(crate) struct Tape {
    inner: Mutex<Inner>,
    terminal: bool,
    binary: bool,
}

struct Inner {
    permit: Permit,
    room: usize,
    shown: u64,
}

impl Tape {
    pub(crate) fn new(permit: Permit, terminal: bool, binary: bool) -> Self {
        let room = if terminal { usize::MAX } else { RECORDED };
        Self { inner: Mutex::new(Inner { permit, room, shown: 0 }), terminal, binary }
    }

    /// Records what the client typed or piped in.
    pub(crate) fn typed(&self, data: &[u8]) -> Result<(), Refusal> {
        if self.terminal || self.binary { Ok(()) } else { self.lock().record(Stream::Input, data, true) }
    }

    /// Records the terminal's size.
    pub(crate) fn size(&self, columns: u32, rows: u32) -> Result<(), Refusal> {
        self.lock().permit.record_size(columns, rows)
    }

    /// Takes bytes of the target and gives those that the client can see by now.
    pub(crate) fn show(&self, masker: &mut Masker, stream: Stream, data: Bytes) -> Result<Bytes, Refusal> {
        let mut inner = self.lock();
        let masked = !self.binary && inner.permit.view().is_some_and(|view| view.scans());
        let data = if masked { masker.push(&data, &mut inner.permit).into() } else { data };
        inner.take(stream, data, self.binary)
    }

    /// Gives what was held back.
    pub(crate) fn flush(&self, masker: &mut Masker, stream: Stream) -> Result<Bytes, Refusal> {
        let mut inner = self.lock();
        let data = masker.flush(&mut inner.permit).into();
        inner.take(stream, data, self.binary)
    }

    /// Records the end.
    pub(crate) fn finish(self, status: Status, message: &str) {
        let Inner { mut permit, shown, .. } = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        let message = permit.mask(&Field::TEXT, message.as_bytes());
        // A failing recorder is remembered by the session, which refuses everything after it.
        let _ = permit.finish(&Outcome { status, message, code: "", rows: 0, bytes: shown });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take(&mut self, stream: Stream, data: Bytes, binary: bool) -> Result<Bytes, Refusal> {
        self.shown = self.shown.saturating_add(data.len() as u64);
        if !binary && !data.is_empty() {
            self.record(stream, &data, false)?;
        }
        Ok(data)
    }

    fn record(&mut self, stream: Stream, data: &[u8], sensitive: bool) -> Result<(), Refusal> {
        if self.room == 0 {
            return Ok(());
        }
        let fits = data.len() <= self.room;
        self.room = if fits { self.room - data.len() } else { 0 };
        let data = if fits { data } else { CUT };
        // What the target sent has been masked already.
        let field = if sensitive { Field::TEXT } else { Field::CLEAN };
        let masked = self.permit.mask(&field, data);
        self.permit.record_stream(stream, &masked)
    }
}
