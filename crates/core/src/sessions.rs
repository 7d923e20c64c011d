//! The live sessions of a process: how one is ended from outside, and how all are drained.
//!
//! Who decides that a session ends, and when to look at deadlines, is the caller's business.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::identity::Identity;

/// Why a session ends before its client wants it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Somebody revoked the identity, the token or the session.
    Revoked,
    /// It reached the longest time a session may last.
    MaxAge,
    /// The client's token expired and the target says that this ends its sessions.
    TokenExpired,
    /// The gate is shutting down.
    Drain,
    /// The recorder failed: nothing more can be recorded.
    RecorderFailed,
}

impl EndReason {
    /// The reason as part of a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Revoked => "it was revoked",
            Self::MaxAge => "it reached its maximum age",
            Self::TokenExpired => "its token expired",
            Self::Drain => "the gate is shutting down",
            Self::RecorderFailed => "it cannot be recorded any more",
        }
    }
}

/// What a live session is told about its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Go on.
    NotYet,
    /// Finish what runs, begin nothing new.
    Finish(EndReason),
    /// Stop now.
    Now(EndReason),
}

/// What a revocation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// All sessions of an issuer's subject.
    Identity {
        /// The issuer's URL.
        issuer: String,
        /// The subject.
        subject: String,
    },
    /// All sessions that were opened with one token.
    Token(String),
    /// One session.
    Session(String),
}

impl Revocation {
    /// Whether it is about this identity, in this session.
    pub fn covers(&self, session: &str, identity: &Identity) -> bool {
        match self {
            Self::Identity { issuer, subject } => *issuer == identity.issuer && *subject == identity.subject,
            Self::Token(token) => identity.token.as_ref() == Some(token),
            Self::Session(id) => id == session,
        }
    }
}

/// All live sessions of this process.
#[derive(Debug, Default)]
pub struct Sessions {
    live: Mutex<HashMap<String, Entry>>,
    draining: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    deadline: Option<(SystemTime, EndReason)>,
    ending: watch::Sender<Ending>,
}

impl Sessions {
    /// Adds a session. Its receiver tells when to end; a draining process ends it at once.
    pub fn enter(
        &self,
        id: &str,
        identity: &Identity,
        deadline: Option<(SystemTime, EndReason)>,
    ) -> watch::Receiver<Ending> {
        let first =
            if self.draining.load(Ordering::SeqCst) { Ending::Finish(EndReason::Drain) } else { Ending::NotYet };
        let (ending, heard) = watch::channel(first);
        self.lock().insert(id.to_owned(), Entry { identity: identity.clone(), deadline, ending });
        // A drain that began between the two lines above has not seen the entry.
        if self.draining.load(Ordering::SeqCst) {
            self.end_all(Ending::Finish(EndReason::Drain));
        }
        heard
    }

    /// Removes a session that is over.
    pub fn leave(&self, id: &str) {
        self.lock().remove(id);
    }

    /// How many are live.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Ends at once every session that the revocation covers, and says how many.
    pub fn revoke(&self, what: &Revocation) -> usize {
        let live = self.lock();
        let mut ended = 0;
        for (_, entry) in live.iter().filter(|(id, entry)| what.covers(id, &entry.identity)) {
            entry.ending.send_replace(Ending::Now(EndReason::Revoked));
            ended += 1;
        }
        ended
    }

    /// Ends the sessions whose deadline has passed. Call this at least once a second.
    pub fn end_overdue(&self, now: SystemTime) {
        for entry in self.lock().values() {
            if let Some((deadline, reason)) = entry.deadline
                && deadline <= now
                && !matches!(*entry.ending.borrow(), Ending::Now(_))
            {
                entry.ending.send_replace(Ending::Now(reason));
            }
        }
    }

    /// Begins the drain: what runs may finish, nothing new begins, in new sessions neither.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.end_all(Ending::Finish(EndReason::Drain));
    }

    /// Ends the drain: what still runs is stopped.
    pub fn stop(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.end_all(Ending::Now(EndReason::Drain));
    }

    fn end_all(&self, ending: Ending) {
        for entry in self.lock().values() {
            if !matches!(*entry.ending.borrow(), Ending::Now(_)) {
                entry.ending.send_replace(ending);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        // Every critical section leaves the map whole, so a poisoned lock is still good.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a session must end: the earlier of its maximum age and, where asked for, its token's end.
pub fn deadline(
    opened: SystemTime,
    max_age: Duration,
    token_end: Option<SystemTime>,
) -> Option<(SystemTime, EndReason)> {
    let age = opened.checked_add(max_age).map(|at| (at, EndReason::MaxAge));
    let token = token_end.map(|at| (at, EndReason::TokenExpired));
    match (age, token) {
        (Some(age), Some(token)) => Some(if token.0 < age.0 { token } else { age }),
        (one, other) => one.or(other),
    }
}
