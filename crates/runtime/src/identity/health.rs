//! How issuers fare: counters that telemetry reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// How one issuer fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcHealth {
    /// The issuer's configured name.
    pub name: String,
    /// When its keys were last fetched; `None` if never.
    pub last_refresh: Option<SystemTime>,
    /// How many usable keys are at hand.
    pub keys: usize,
    /// Whether the keys at hand are fresh. Stale keys are used for a while if the issuer cannot be
    /// reached.
    pub fresh: bool,
    /// Fetches that succeeded.
    pub refreshes: u64,
    /// Fetches that failed.
    pub failures: u64,
    /// Tokens of this issuer that were refused.
    pub rejected: u64,
    /// Tokens of this issuer that could not be verified.
    pub unavailable: u64,
}

/// The counters of one issuer.
#[derive(Debug, Default)]
pub(super) struct Counters {
    refreshes: AtomicU64,
    failures: AtomicU64,
    rejected: AtomicU64,
    unavailable: AtomicU64,
}

impl Counters {
    pub(super) fn count_refresh(&self) {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_unavailable(&self) {
        self.unavailable.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fill(&self, health: OidcHealth) -> OidcHealth {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        OidcHealth {
            refreshes: read(&self.refreshes),
            failures: read(&self.failures),
            rejected: read(&self.rejected),
            unavailable: read(&self.unavailable),
            ..health
        }
    }
}
