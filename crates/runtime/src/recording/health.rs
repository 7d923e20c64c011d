//! What an operator can see of a spool: plain counters, read without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Figures of a running spool. Counters only rise; gauges say how it is now.
#[derive(Debug)]
pub struct SpoolHealth {
    started: Instant,
    /// When the oldest event that is not signed was found, in microseconds after `started`; 0 for none.
    waiting: AtomicU64,
    pub(super) sessions_open: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) segments: AtomicU64,
    pub(super) checkpoints: AtomicU64,
    pub(super) recovered: AtomicU64,
    pub(super) quarantined: AtomicU64,
}

impl SpoolHealth {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            waiting: AtomicU64::new(0),
            sessions_open: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            recovered: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
        }
    }

    /// Gauge: recordings that are open now.
    pub fn sessions_open(&self) -> u64 {
        self.sessions_open.load(Ordering::Relaxed)
    }

    /// Gauge: bytes in the spool's folder.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counter: writes, seals and checkpoints that failed, and records that were refused because
    /// the spool is full.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Counter: events that are missing from recordings. Each is covered by a gap, or will be.
    pub fn missed_events(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Counter: gaps that were marked in recordings.
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed)
    }

    /// Counter: segments that were sealed.
    pub fn segments(&self) -> u64 {
        self.segments.load(Ordering::Relaxed)
    }

    /// Counter: checkpoints that were signed.
    pub fn checkpoints(&self) -> u64 {
        self.checkpoints.load(Ordering::Relaxed)
    }

    /// Counter: recordings of a gate that died which were sealed at this start.
    pub fn recovered(&self) -> u64 {
        self.recovered.load(Ordering::Relaxed)
    }

    /// Counter: recordings that recovery left as they are because they were changed or damaged.
    pub fn quarantined(&self) -> u64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// Gauge: how long the oldest event that is not signed has waited; zero when nothing waits. In a
    /// healthy spool it stays below twice `checkpoint_every`.
    pub fn seal_lag(&self) -> Duration {
        match self.waiting.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => self.started.elapsed().saturating_sub(Duration::from_micros(since)),
        }
    }

    /// Something waits from now on, if nothing did before.
    pub(super) fn waits(&self) {
        // If something waited before, that one is older.
        let _ = self.waiting.compare_exchange(0, self.micros(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// All that had come before `since` is signed; `more` tells whether something came after it.
    pub(super) fn signed(&self, since: u64, more: bool) {
        self.waiting.store(if more { since } else { 0 }, Ordering::Relaxed);
    }

    /// Microseconds since the start, and at least 1.
    pub(super) fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
