//! Remembers tokens that were verified, so that a client that shows the same one again does not
//! pay for a signature. Bounded; a token is kept as its SHA-256 alone.
//!
//! It does not decide whether a memory still holds: the caller compares keys and time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use portcullis_core::identity::Identity;

use super::claims;
use super::keys::KeysId;

/// Tokens that are remembered at a time.
const MAX_TOKENS: usize = 1024;

/// What a token is remembered by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// The tokens that were verified.
#[derive(Default)]
pub(super) struct Verified(Mutex<HashMap<Fingerprint, Memory>>);

struct Memory {
    issuer: usize,
    keys: KeysId,
    identity: Arc<Identity>,
}

impl Verified {
    /// What is known of a token: its issuer's place, the keys that proved it, and whom it names.
    pub(super) fn recall(&self, token: &Fingerprint) -> Option<(usize, KeysId, Arc<Identity>)> {
        let memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memories.get(token).map(|memory| (memory.issuer, memory.keys, Arc::clone(&memory.identity)))
    }

    pub(super) fn remember(
        &self,
        token: Fingerprint,
        issuer: usize,
        keys: KeysId,
        identity: &Arc<Identity>,
        now: SystemTime,
    ) {
        let mut memories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memories.len() >= MAX_TOKENS {
            memories.retain(|_, memory| !claims::is_expired(memory.identity.expires, now));
        }
        if memories.len() >= MAX_TOKENS {
            memories.clear();
        }
        memories.insert(token, Memory { issuer, keys, identity: Arc::clone(identity) });
    }
}
