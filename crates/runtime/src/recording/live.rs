//! One live session's recording: the adapter of core's port, and its way to the sealer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_core::recording::{Event, RecordError, Recording};

use super::directory;
use super::health::count;
use super::packer::Sealed;
use super::shared::Shared;
use super::writer::{Tail, Writer};

/// A session that is not sealed to its end.
pub(super) struct Live {
    pub(super) number: u64,
    pub(super) shared: Arc<Shared>,
    id: String,
    best_effort: bool,
    /// Something was appended and not committed.
    pending: AtomicBool,
    /// The sealer knows that there is something new.
    listed: AtomicBool,
    /// Nobody will append any more.
    closing: AtomicBool,
    writer: Mutex<Writer>,
    sealing: Mutex<Sealing>,
}

/// The sealer's part of a session.
pub(super) struct Sealing {
    /// What is sealed and on disk.
    pub(super) sealed: Sealed,
    /// The tail that is sealed next.
    pub(super) tail: Option<Tail>,
}

impl Live {
    pub(super) fn new(shared: Arc<Shared>, number: u64, best_effort: bool) -> Self {
        let sealed = Sealed::nothing(&shared.header(number));
        Self {
            number,
            id: directory::id(&shared.gate, number),
            shared,
            best_effort,
            pending: AtomicBool::new(false),
            listed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            writer: Mutex::new(Writer::new(number, best_effort)),
            sealing: Mutex::new(Sealing { sealed, tail: None }),
        }
    }

    // Every critical section leaves the writer whole, so a poisoned lock is still good.
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sealing(&self) -> MutexGuard<'_, Sealing> {
        self.sealing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody will append any more.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Nobody will append any more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Tells the sealer once that there is something new.
    pub(super) fn list(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            self.shared.list(Arc::clone(self));
        }
    }

    /// The sealer is about to look: what comes from here on is to be listed again.
    pub(super) fn unlist(&self) {
        self.listed.store(false, Ordering::Release);
    }

    /// Writes the first event down before anybody knows of the session.
    pub(super) fn begin(self: &Arc<Self>, at: u64, opened: &Event<'_>) -> Result<(), RecordError> {
        let mut writer = self.writer();
        let written = writer.append(&self.shared, at, opened).and_then(|()| writer.flush(&self.shared));
        if let (Err(why), false) = (written, self.best_effort) {
            writer.discard(&self.shared);
            return Err(RecordError(why));
        }
        drop(writer);
        self.list();
        Ok(())
    }

    fn append(self: &Arc<Self>, at: u64, event: &Event<'_>) -> Result<(), String> {
        let mut writer = self.writer();
        let added = writer.append(&self.shared, at, event);
        self.pending.store(true, Ordering::Release);
        drop(writer);
        self.list();
        added
    }

    fn commit(&self) -> Result<(), String> {
        if !self.pending.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut writer = self.writer();
        writer.flush(&self.shared)?;
        self.pending.store(false, Ordering::Release);
        Ok(())
    }

    /// What the pipeline is told: where gaps are allowed, all is well.
    fn answer(&self, done: Result<(), String>) -> Result<(), RecordError> {
        match done {
            Err(why) if !self.best_effort => Err(RecordError(why)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The pipeline's end of a recording.
pub(super) struct Handle(Arc<Live>);

impl Handle {
    pub(super) fn new(live: Arc<Live>) -> Self {
        count(&live.shared.health.sessions_open);
        Self(live)
    }
}

impl Recording for Handle {
    fn id(&self) -> &str {
        &self.0.id
    }

    fn append(&self, at: u64, event: &Event<'_>) -> Result<(), RecordError> {
        self.0.answer(self.0.append(at, event))
    }

    fn commit(&self) -> Result<(), RecordError> {
        self.0.answer(self.0.commit())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let live = &self.0;
        // What fails now stays in memory, and the sealer tries again.
        let _ = live.writer().flush(&live.shared);
        live.close();
        live.list();
        live.shared.wake.closed();
        live.shared.health.sessions_open.fetch_sub(1, Ordering::Relaxed);
    }
}
