//! How much the spool may hold, and whether there is room. What is refused for want of room is
//! the caller's business.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::directory::Directory;
use super::health::SpoolHealth;

/// The room that a spool has.
pub(super) struct Space {
    max: u64,
    min_free: u64,
    low: AtomicBool,
    health: Arc<SpoolHealth>,
}

impl Space {
    pub(super) const fn new(max: u64, min_free: u64, health: Arc<SpoolHealth>) -> Self {
        Self { max, min_free, low: AtomicBool::new(false), health }
    }

    /// Whether something new may begin; if not, why.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.low.load(Ordering::Relaxed) {
            return Err("the file system of the spool has less free space than `min_free_bytes`");
        }
        if self.health.bytes() >= self.max {
            return Err("the spool holds `max_bytes`");
        }
        Ok(())
    }

    pub(super) fn add(&self, bytes: u64) {
        self.health.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, bytes: u64) {
        let less = |held: u64| Some(held.saturating_sub(bytes));
        // The closure always yields a value, so this cannot fail.
        let _ = self.health.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Looks again how much is free, and near the limit also how much is held: somebody may have
    /// made room.
    pub(super) fn look(&self, directory: &Directory) {
        if let Ok(found) = rustix::fs::statvfs(&directory.0) {
            self.low.store(found.f_bavail.saturating_mul(found.f_frsize) < self.min_free, Ordering::Relaxed);
        }
        if self.health.bytes() >= self.max / 10 * 9 {
            self.measure(directory);
        }
    }

    /// Sums up what the folder holds.
    pub(super) fn measure(&self, directory: &Directory) {
        if let Ok(bytes) = directory.bytes() {
            self.health.bytes.store(bytes, Ordering::Relaxed);
        }
    }
}
