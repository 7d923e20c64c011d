//! What a spool's sessions and its sealer share, and how the sealer is woken.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_core::clock::Clock;

use super::config::Durability;
use super::directory::Directory;
use super::disk::Disk;
use super::format::FileHeader;
use super::health::SpoolHealth;
use super::live::Live;
use super::pool::Pool;
use super::space::Space;

/// The least time between two rounds of sealing, however many sessions end: a round costs a few
/// waits for the disk, whether it seals one recording or a thousand.
const BREATH: Duration = Duration::from_millis(100);

/// One spool.
pub(super) struct Shared {
    pub(super) directory: Directory,
    pub(super) gate: String,
    /// The gate's first public key.
    pub(super) root: [u8; 32],
    pub(super) durability: Durability,
    pub(super) segment_bytes: u64,
    pub(super) checkpoint_every: Duration,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) space: Space,
    pub(super) pool: Pool,
    pub(super) health: Arc<SpoolHealth>,
    pub(super) wake: Wake,
    /// Sessions with something new.
    pub(super) dirty: Mutex<Vec<Arc<Live>>>,
    pub(super) numbers: Mutex<Numbers>,
    /// Sessions that are not sealed to their end.
    pub(super) live: Mutex<HashMap<u64, Arc<Live>>>,
    /// Keeps other gates out for as long as anything here is in use.
    pub(super) _lock: std::fs::File,
}

/// How sessions are numbered.
pub(super) struct Numbers {
    /// The next session's number.
    pub(super) next: u64,
    /// The spool is closed: there is no next session.
    pub(super) ended: bool,
}

// The critical sections of this file and its users leave what they guard whole at every point, so
// a poisoned lock is still good.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn header(&self, session: u64) -> FileHeader {
        FileHeader { session, root: self.root, gate: self.gate.clone() }
    }

    pub(super) fn list(&self, live: Arc<Live>) {
        self.health.waits();
        lock(&self.dirty).push(live);
    }
}

/// What the sealer is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Seal the sessions whose tails are long.
    Big,
    /// Seal all that is new, and sign it.
    Round,
    /// Seal and sign everything, and end.
    Stop,
}

/// Wakes the sealer.
#[derive(Default)]
pub(super) struct Wake {
    wants: Mutex<Wants>,
    changed: Condvar,
}

#[derive(Default)]
struct Wants {
    big: bool,
    soon: bool,
    stop: bool,
}

impl Wake {
    /// A tail is long.
    pub(super) fn big(&self) {
        self.tell(|wants| wants.big = true);
    }

    /// A session is over.
    pub(super) fn closed(&self) {
        self.tell(|wants| wants.soon = true);
    }

    /// The spool is full, as far as is known: look again.
    pub(super) fn look(&self) {
        self.tell(|wants| wants.soon = true);
    }

    /// Seal everything and end.
    pub(super) fn stop(&self) {
        self.tell(|wants| wants.stop = true);
    }

    fn tell(&self, what: impl FnOnce(&mut Wants)) {
        what(&mut lock(&self.wants));
        self.changed.notify_one();
    }

    /// Waits for the next task. `last` is when the last round began.
    pub(super) fn wait(&self, last: Instant, every: Duration) -> Task {
        let mut wants = lock(&self.wants);
        loop {
            if wants.stop {
                return Task::Stop;
            }
            let pause = if wants.soon { BREATH.min(every) } else { every };
            let left = pause.saturating_sub(last.elapsed());
            if left.is_zero() {
                *wants = Wants::default();
                return Task::Round;
            }
            if std::mem::take(&mut wants.big) {
                return Task::Big;
            }
            wants = self.changed.wait_timeout(wants, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
