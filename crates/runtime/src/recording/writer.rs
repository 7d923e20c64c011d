//! What a session has recorded and not sealed: a buffer in memory, and behind it a tail file in the
//! kernel. It decides what happens to events when there is no room or the disk fails.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;

use portcullis_core::clock::unix_micros;
use portcullis_core::recording::Event;

use super::config::Durability;
use super::directory::Slot;
use super::health::count;
use super::shared::Shared;
use super::tail;

/// The most that stays in memory before it is written without being asked for, in bytes. Beyond
/// it goes at most one event.
const BUFFER: usize = 256 << 10;
/// What a buffer begins with, in bytes.
const FIRST_BUFFER: usize = 4 << 10;

/// The unsealed end of one session.
pub(super) struct Writer {
    session: u64,
    best_effort: bool,
    buffer: Vec<u8>,
    /// The number of the next event.
    next: u64,
    slot: Slot,
    tail: Option<Tail>,
    missed: u64,
    why_missed: String,
    /// Set when the last segment is sealed, or can never be: nothing may be added any more.
    over: Option<&'static str>,
}

/// A file of events.
pub(super) struct Tail {
    pub(super) file: File,
    pub(super) slot: Slot,
    pub(super) len: u64,
}

impl Writer {
    pub(super) const fn new(session: u64, best_effort: bool) -> Self {
        Self {
            session,
            best_effort,
            buffer: Vec::new(),
            next: 1,
            slot: Slot::A,
            tail: None,
            missed: 0,
            why_missed: String::new(),
            over: None,
        }
    }

    /// Adds an event. One that cannot be added is counted, and covered by the next gap.
    pub(super) fn append(&mut self, shared: &Shared, at: u64, event: &Event<'_>) -> Result<(), String> {
        if let Some(why) = self.over {
            return Err(why.to_owned());
        }
        let added = self.add(shared, at, event);
        if let Err(why) = &added {
            if self.missed == 0 {
                self.why_missed.clone_from(why);
            }
            self.missed = self.missed.saturating_add(1);
            count(&shared.health.missed);
        }
        added
    }

    fn add(&mut self, shared: &Shared, at: u64, event: &Event<'_>) -> Result<(), String> {
        if self.needs_room(event) {
            shared.space.check().map_err(|why| {
                count(&shared.health.failures);
                shared.wake.look();
                why.to_owned()
            })?;
        }
        if self.buffer.len() >= BUFFER {
            self.flush(shared)?;
        }
        self.mark_gap(shared, at)?;
        self.put(at, event)
    }

    /// A full spool refuses what begins, and takes what ends. Where gaps are allowed, a gap lasts
    /// until an operation fits again.
    const fn needs_room(&self, event: &Event<'_>) -> bool {
        match event {
            Event::Opened { .. } | Event::Operation { .. } => true,
            Event::Closed { .. } => false,
            _ => self.best_effort && self.missed > 0,
        }
    }

    fn mark_gap(&mut self, shared: &Shared, at: u64) -> Result<(), String> {
        if self.missed > 0 {
            let gap = Event::Gap { events: self.missed, reason: std::mem::take(&mut self.why_missed).into() };
            self.put(at, &gap)?;
            self.missed = 0;
            count(&shared.health.gaps);
        }
        Ok(())
    }

    fn put(&mut self, at: u64, event: &Event<'_>) -> Result<(), String> {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(FIRST_BUFFER);
        }
        tail::put(&mut self.buffer, self.session, self.next, at, event)?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// Hands the buffer to the kernel, and waits for the disk where the configuration says so. On
    /// an error the buffer stays, and the next attempt writes over what this one may have torn.
    pub(super) fn flush(&mut self, shared: &Shared) -> Result<(), String> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.write(shared).map_err(|why| {
            count(&shared.health.failures);
            format!("the tail of session {} cannot be written: {why}", self.session)
        })?;
        self.buffer.clear();
        if self.buffer.capacity() > 2 * BUFFER {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn write(&mut self, shared: &Shared) -> io::Result<()> {
        let slot = self.slot;
        let tail = match &mut self.tail {
            Some(tail) => tail,
            none => {
                let path = shared.directory.tail(self.session, slot);
                let file = shared.pool.take(&shared.directory, &*shared.disk, &path)?;
                none.insert(Tail { file, slot, len: 0 })
            }
        };
        shared.disk.write(&tail.file, &self.buffer, tail.len)?;
        if shared.durability == Durability::Disk {
            shared.disk.sync(&tail.file)?;
            if tail.len == 0 {
                shared.directory.sync()?;
            }
        }
        let before = tail.len;
        tail.len = before.saturating_add(self.buffer.len() as u64);
        shared.space.add(self.buffer.len() as u64);
        if before < shared.segment_bytes && tail.len >= shared.segment_bytes {
            shared.wake.big();
        }
        Ok(())
    }

    /// The bytes in the tail.
    pub(super) fn tail_len(&self) -> u64 {
        self.tail.as_ref().map_or(0, |tail| tail.len)
    }

    /// Gives the tail away to be sealed; what comes next goes to the other one, which must be free.
    pub(super) fn rotate(&mut self, shared: &Shared) -> Result<Option<Tail>, String> {
        self.flush(shared)?;
        // Only once the disk takes events again, so that a gap is marked once.
        self.mark_gap(shared, unix_micros(shared.clock.now()))?;
        self.flush(shared)?;
        self.buffer = Vec::new();
        let tail = self.tail.take();
        if tail.is_some() {
            self.slot = self.slot.other();
        }
        Ok(tail)
    }

    /// Whether something is here that is not with the sealer.
    pub(super) const fn has_more(&self) -> bool {
        self.tail.is_some() || !self.buffer.is_empty() || self.missed > 0
    }

    /// Nothing may be added any more, for this reason.
    pub(super) const fn end(&mut self, why: &'static str) {
        if self.over.is_none() {
            self.over = Some(why);
        }
    }

    /// Takes away what a session left that could not be opened.
    pub(super) fn discard(&mut self, shared: &Shared) {
        self.buffer = Vec::new();
        // Of a session that never was, nothing is missing.
        shared.health.missed.fetch_sub(self.missed, Ordering::Relaxed);
        if let Some(tail) = self.tail.take() {
            shared.space.remove(tail.len);
        }
        // It may never have been made.
        let _ = std::fs::remove_file(shared.directory.tail(self.session, self.slot));
    }
}
