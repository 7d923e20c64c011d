//! Cancel keys: the gate mints its own, so that the target's keys never reach a client, and finds
//! the session that a key belongs to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::{constant_time, rand};
use tokio::sync::{mpsc, oneshot};

/// The most sessions that can have a cancel key at a time on one target.
const MAX_KEYS: usize = 100_000;

/// Bytes of a key in protocol 3.0, and those that we mint in 3.2.
const SHORT_KEY: usize = 4;
const LONG_KEY: usize = 32;

/// The keys of one target's sessions.
#[derive(Debug, Default)]
pub(crate) struct Cancels(Mutex<HashMap<u32, Entry>>);

#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    wake: mpsc::Sender<Told>,
}

/// Dropped when a request has been dealt with: until then its sender waits, so that what a client
/// says after it has cancelled is not cancelled.
pub(crate) type Told = oneshot::Sender<()>;

/// A session's own key. Dropping it forgets the key.
#[derive(Debug)]
pub(crate) struct CancelKey {
    pub(crate) process: u32,
    pub(crate) key: Vec<u8>,
    requests: mpsc::Receiver<Told>,
    cancels: std::sync::Arc<Cancels>,
}

impl Cancels {
    /// Mints a key; `None` where no more fit or no randomness can be had.
    pub(crate) fn mint(self: &std::sync::Arc<Self>, minor: u16) -> Option<CancelKey> {
        let mut key = vec![0; if minor >= 2 { LONG_KEY } else { SHORT_KEY }];
        rand::fill(&mut key).ok()?;
        let (wake, requests) = mpsc::channel(1);
        let mut live = self.lock();
        if live.len() >= MAX_KEYS {
            return None;
        }
        let process = loop {
            let mut bytes = [0; 4];
            rand::fill(&mut bytes).ok()?;
            let candidate = u32::from_be_bytes(bytes) & 0x7fff_ffff;
            if candidate != 0 && !live.contains_key(&candidate) {
                break candidate;
            }
        };
        live.insert(process, Entry { key: key.clone(), wake });
        drop(live);
        Some(CancelKey { process, key, requests, cancels: std::sync::Arc::clone(self) })
    }

    /// Passes a request on to the session that the key belongs to, and gives what ends when it has
    /// been dealt with. A wrong key does nothing, and nobody is told.
    pub(crate) fn request(&self, process: u32, key: &[u8]) -> oneshot::Receiver<()> {
        let (told, dealt_with) = oneshot::channel();
        if let Some(entry) = self.lock().get(&process)
            && constant_time::verify_slices_are_equal(&entry.key, key).is_ok()
        {
            // A full mailbox holds a request already, and one is enough.
            let _ = entry.wake.try_send(told);
        }
        dealt_with
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelKey {
    /// Waits for the next request.
    pub(crate) fn poll_request(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Told>> {
        self.requests.poll_recv(cx)
    }
}

impl Drop for CancelKey {
    fn drop(&mut self) {
        self.cancels.lock().remove(&self.process);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Cancels;

    fn requested(key: &mut super::CancelKey) -> bool {
        key.requests.try_recv().is_ok()
    }

    #[test]
    fn only_the_right_key_reaches_its_session() {
        let cancels = Arc::new(Cancels::default());
        let mut one = cancels.mint(0).unwrap();
        let mut other = cancels.mint(2).unwrap();
        assert_eq!((one.key.len(), other.key.len()), (4, 32));
        let _waits = cancels.request(one.process, &other.key);
        assert!(!requested(&mut one) && !requested(&mut other));
        let _waits = cancels.request(one.process, &one.key.clone());
        assert!(requested(&mut one) && !requested(&mut other));
    }

    #[test]
    fn a_key_ends_with_its_session() {
        let cancels = Arc::new(Cancels::default());
        drop(cancels.mint(0).unwrap());
        assert!(cancels.lock().is_empty());
    }
}
