//! The device flow's memory (RFC 8628): who waits for a human, and how impatiently they ask.
//!
//! It knows no HTTP; the pages and endpoints are in `http` and `token`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::claims::Claims;

/// How long a device's request stays open.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// Devices that may wait at a time.
const MAX_WAITING: usize = 1024;
/// What an impatient device is made to wait longer (RFC 8628 §3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
const INTERVAL: Duration = Duration::from_secs(1);

/// All devices that wait.
pub(super) struct Devices(Mutex<Inner>);

struct Inner {
    interval: Duration,
    serial: u32,
    waiting: HashMap<String, Waiting>,
}

struct Waiting {
    user_code: String,
    began: Instant,
    interval: Duration,
    asked: Option<Instant>,
    answer: Answer,
}

enum Answer {
    NotYet,
    Approved(Box<Claims>),
    Denied,
}

/// What a poll is told.
pub(super) enum Poll {
    Pending,
    SlowDown,
    Denied,
    Expired,
    Unknown,
    Approved(Box<Claims>),
}

/// A request that was opened.
pub(super) struct Opened {
    pub(super) device_code: String,
    pub(super) user_code: String,
    pub(super) interval: Duration,
}

impl Default for Devices {
    fn default() -> Self {
        Self(Mutex::new(Inner { interval: INTERVAL, serial: 0, waiting: HashMap::new() }))
    }
}

impl Devices {
    pub(super) fn set_interval(&self, interval: Duration) {
        self.lock().interval = interval;
    }

    /// Opens a request; `None` when too many wait.
    pub(super) fn open(&self) -> Option<Opened> {
        let mut inner = self.lock();
        inner.waiting.retain(|_, waiting| waiting.began.elapsed() < LIFETIME);
        if inner.waiting.len() >= MAX_WAITING {
            return None;
        }
        inner.serial += 1;
        let (device_code, user_code) = (random_code()?, format!("GATE-{:04}", inner.serial));
        let interval = inner.interval;
        let waiting = Waiting {
            user_code: user_code.clone(),
            began: Instant::now(),
            interval,
            asked: None,
            answer: Answer::NotYet,
        };
        inner.waiting.insert(device_code.clone(), waiting);
        Some(Opened { device_code, user_code, interval })
    }

    /// One poll of the token endpoint. An approval is handed out once.
    pub(super) fn poll(&self, device_code: &str) -> Poll {
        let mut inner = self.lock();
        let Some(waiting) = inner.waiting.get_mut(device_code) else { return Poll::Unknown };
        if waiting.began.elapsed() >= LIFETIME {
            inner.waiting.remove(device_code);
            return Poll::Expired;
        }
        let hasty = waiting.asked.is_some_and(|asked| asked.elapsed() < waiting.interval);
        waiting.asked = Some(Instant::now());
        if hasty {
            waiting.interval += SLOW_DOWN;
            return Poll::SlowDown;
        }
        if matches!(waiting.answer, Answer::NotYet) {
            return Poll::Pending;
        }
        match inner.waiting.remove(device_code).map(|waiting| waiting.answer) {
            Some(Answer::Approved(claims)) => Poll::Approved(claims),
            Some(Answer::Denied) => Poll::Denied,
            Some(Answer::NotYet) | None => Poll::Unknown,
        }
    }

    /// Approves the request behind a code; false where none waits.
    pub(super) fn approve(&self, user_code: &str, claims: Claims) -> bool {
        self.answer(user_code, Answer::Approved(Box::new(claims)))
    }

    /// Denies the request behind a code; false where none waits.
    pub(super) fn deny(&self, user_code: &str) -> bool {
        self.answer(user_code, Answer::Denied)
    }

    fn answer(&self, user_code: &str, answer: Answer) -> bool {
        let mut inner = self.lock();
        let found = inner.waiting.values_mut().find(|waiting| waiting.user_code.eq_ignore_ascii_case(user_code.trim()));
        let Some(waiting) = found else { return false };
        waiting.answer = answer;
        true
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random_code() -> Option<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
