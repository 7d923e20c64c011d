//! What a client has sent on one channel and nobody has taken yet, and how that holds the client back.
//!
//! russh re-opens a channel's window on receipt, so that the window bounds nothing. Reading from the
//! client pauses instead while a channel has too much waiting. It goes on while a channel's output
//! waits for the client, who says in the same stream that there is room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use russh::{Pty, Sig};
use tokio::sync::Notify;

use crate::classify::Start;

/// Bytes that wait on a channel before reading pauses.
const ENOUGH: usize = 1 << 20;
/// Bytes that may wait on a channel whose reading could not pause. Then the channel ends.
const TOO_MUCH: usize = 32 << 20;
/// What an item counts beyond its bytes.
const OVERHEAD: usize = 256;

/// A terminal, as the client asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    pub(crate) term: String,
    pub(crate) size: [u32; 4],
    pub(crate) modes: Vec<(Pty, u32)>,
}

/// What a client sends on a session channel.
#[derive(Debug)]
pub(crate) enum FromClient {
    Terminal(Terminal),
    Env(String, String),
    Start(Start),
    Size([u32; 4]),
    Signal(Sig),
    Data(Bytes),
    Eof,
    Close,
    /// More has come than can be kept.
    Overflow,
}

/// The queue of one channel.
pub(crate) struct Spool {
    queue: Mutex<Queue>,
    arrived: Notify,
    pressure: Arc<Pressure>,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<FromClient>,
    bytes: usize,
    over: bool,
    held: bool,
    ended: bool,
}

impl Spool {
    pub(crate) fn new(pressure: &Arc<Pressure>) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), arrived: Notify::new(), pressure: Arc::clone(pressure) })
    }

    /// Adds what has come. Nothing is lost in silence: what is too much ends the channel.
    pub(crate) fn push(&self, item: FromClient) {
        let mut queue = self.lock();
        if queue.ended {
            return;
        }
        queue.bytes = queue.bytes.saturating_add(size(&item));
        queue.items.push_back(item);
        // While a human is asked, reading must go on: Ctrl-C and the client's end come that way.
        let most = if queue.held { ENOUGH.saturating_mul(2) } else { TOO_MUCH };
        if queue.bytes > most {
            queue.items.clear();
            queue.items.push_back(FromClient::Overflow);
            queue.bytes = 0;
            queue.ended = true;
        }
        self.weigh(&mut queue);
        drop(queue);
        self.arrived.notify_one();
    }

    /// Waits for the next item. Once the channel is closed, there is nothing but that.
    pub(crate) async fn next(&self) -> FromClient {
        loop {
            if let Some(item) = self.take() {
                return item;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<FromClient> {
        let mut queue = self.lock();
        let item = queue.items.pop_front()?;
        queue.bytes = queue.bytes.saturating_sub(size(&item));
        self.weigh(&mut queue);
        Some(item)
    }

    /// Waits until the client closes the channel, presses Ctrl-C, or sends more than can be kept.
    /// Everything else stays in order.
    pub(crate) async fn given_up(&self) {
        loop {
            if self.lock().items.iter().any(gives_up) {
                return;
            }
            self.arrived.notified().await;
        }
    }

    /// Waits until the client closes the channel, or sends more than can be kept; true for the latter.
    pub(crate) async fn over(&self) -> bool {
        loop {
            let found = self.lock().items.iter().find_map(|item| match item {
                FromClient::Overflow => Some(true),
                FromClient::Close => Some(false),
                _ => None,
            });
            match found {
                Some(overflow) => return overflow,
                None => self.arrived.notified().await,
            }
        }
    }

    /// Says whether a human is asked about this channel.
    pub(crate) fn hold(&self, held: bool) {
        let mut queue = self.lock();
        queue.held = held;
        self.weigh(&mut queue);
    }

    /// Drops what waits, and all that comes.
    pub(crate) fn end(&self) {
        let mut queue = self.lock();
        queue.items.clear();
        queue.bytes = 0;
        queue.ended = true;
        self.weigh(&mut queue);
    }

    /// Whether the channel is over.
    pub(crate) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    fn weigh(&self, queue: &mut Queue) {
        let over = queue.bytes > ENOUGH && !queue.held;
        if over != queue.over {
            queue.over = over;
            self.pressure.over(over);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gives_up(item: &FromClient) -> bool {
    match item {
        FromClient::Close | FromClient::Overflow => true,
        FromClient::Signal(signal) => matches!(signal, Sig::INT | Sig::TERM | Sig::KILL | Sig::HUP),
        // Ctrl-C in a terminal is a byte.
        FromClient::Data(data) => data.as_ref() == [3],
        FromClient::Terminal(_) | FromClient::Env(..) | FromClient::Start(_) | FromClient::Size(_) => false,
        FromClient::Eof => false,
    }
}

fn size(item: &FromClient) -> usize {
    let bytes = match item {
        FromClient::Data(data) => data.len(),
        FromClient::Env(name, value) => name.len().saturating_add(value.len()),
        FromClient::Start(start) => start.statement().len(),
        FromClient::Terminal(terminal) => terminal.term.len(),
        FromClient::Size(_) | FromClient::Signal(_) | FromClient::Eof => 0,
        FromClient::Close | FromClient::Overflow => 0,
    };
    bytes.saturating_add(OVERHEAD)
}

/// Whether reading from a client pauses.
#[derive(Default)]
pub(crate) struct Pressure {
    over: AtomicUsize,
    starved: AtomicUsize,
    stopped: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Pressure {
    fn over(&self, more: bool) {
        count(&self.over, more);
        self.wake();
    }

    /// Output waits for the client for as long as the guard lives.
    pub(crate) fn starve(self: &Arc<Self>) -> Starved {
        count(&self.starved, true);
        self.wake();
        Starved(Arc::clone(self))
    }

    /// Ends reading for good.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether reading has ended.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Whether reading pauses; `reader` is woken when that changes.
    pub(super) fn pauses(&self, reader: &Waker) -> bool {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader.clone());
        self.over.load(Ordering::SeqCst) > 0 && self.starved.load(Ordering::SeqCst) == 0
    }

    fn wake(&self) {
        if let Some(waker) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }
}

fn count(number: &AtomicUsize, more: bool) {
    if more {
        number.fetch_add(1, Ordering::SeqCst);
    } else {
        number.fetch_sub(1, Ordering::SeqCst);
    }
}

/// See [`Pressure::starve`].
pub(crate) struct Starved(Arc<Pressure>);

impl Drop for Starved {
    fn drop(&mut self) {
        count(&self.0.starved, false);
    }
}
