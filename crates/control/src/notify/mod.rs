//! Telling others of asks: that one is made, and what becomes of it. Each receiver is told at least once, in
//! its own time: one that is slow or fails holds up neither an ask nor another receiver.
//!
//! Nobody can answer an ask through a receiver. What is told holds neither statement nor values.

mod message;
mod send;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use portcullis_core::BoxFuture;
use portcullis_core::clock::{Clock, unix_micros};
use portcullis_core::secret::{SecretError, SecretRef};
use tokio::sync::broadcast::Receiver as Heard;
use tokio::sync::broadcast::error::RecvError;

use self::send::Sender;
use self::signature::Key;
use crate::ask::{Ask, State};
use crate::desk::Desk;
use crate::store::{Delivery, Next, Notice, Sqlite, Store, StoreError};

/// How long it is tried to tell something.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The pause after the first failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How long to wait after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Somebody who is told of asks.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name, by which logs and the outbox know it.
    pub name: String,
    /// Where it is. This may be a secret by itself.
    pub url: SecretRef,
    /// How it is told.
    pub kind: Kind,
}

/// How a receiver is told.
#[derive(Debug, Clone)]
pub enum Kind {
    /// By a request that is signed as Standard Webhooks says.
    Webhook {
        /// The key of the signature.
        secret: SecretRef,
    },
    /// By a message to a channel, through an incoming webhook of Slack.
    Slack,
}

/// Why a receiver cannot be told anything. It names no secret.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// A secret of its cannot be had.
    #[error("`control.notify` `{name}`: {source}")]
    Secret {
        /// The receiver's name.
        name: String,
        /// Why.
        source: SecretError,
    },
    /// Something of it is not what it has to be.
    #[error("`control.notify` `{name}`: {what}")]
    Wrong {
        /// The receiver's name.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The client for its requests cannot be made.
    #[error("requests to receivers of notifications cannot be made: {0}")]
    Client(String),
}

impl Receiver {
    /// Whether it is told of this.
    const fn wants(&self, state: State) -> bool {
        match self.kind {
            Kind::Webhook { .. } => true,
            // People were told that it is approved.
            Kind::Slack => !matches!(state, State::Used),
        }
    }

    fn url(&self) -> Result<reqwest::Url, ReceiverError> {
        let url = self.url.resolve().map_err(|source| ReceiverError::Secret { name: self.name.clone(), source })?;
        send::destination(url.expose()).map_err(|what| self.wrong(what))
    }

    /// The key to sign with, where it is told that way.
    fn key(&self) -> Result<Option<Key>, ReceiverError> {
        let Kind::Webhook { secret } = &self.kind else { return Ok(None) };
        let secret = secret.resolve().map_err(|source| ReceiverError::Secret { name: self.name.clone(), source })?;
        Key::parse(secret.expose()).map(Some).map_err(|what| self.wrong(what))
    }

    fn wrong(&self, what: &'static str) -> ReceiverError {
        ReceiverError::Wrong { name: self.name.clone(), what }
    }
}

/// Tells all receivers.
pub(crate) struct Notifier {
    receivers: Arc<[Receiver]>,
    /// Where the page is, without a slash at its end.
    base: Arc<str>,
    store: Arc<Sqlite>,
    clock: Arc<dyn Clock>,
}

impl Notifier {
    /// One for these receivers, each of which is looked at: what cannot work is better known at the start.
    pub(crate) async fn open(
        receivers: Vec<Receiver>,
        base: &str,
        store: Arc<Sqlite>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, crate::ControlError> {
        for receiver in &receivers {
            receiver.url()?;
            receiver.key()?;
        }
        let names: Vec<String> = receivers.iter().map(|receiver| receiver.name.clone()).collect();
        store.forget_receivers_but(&names).await?;
        Ok(Self { receivers: receivers.into(), base: base.into(), store, clock })
    }

    /// The store of asks that remembers to tell of their changes.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(Telling {
            receivers: Arc::clone(&self.receivers),
            base: Arc::clone(&self.base),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
        })
    }

    /// Tells what there is to tell, until it is dropped.
    pub(crate) async fn run(self, desk: &Desk) {
        if self.receivers.is_empty() {
            return;
        }
        let sender = match Sender::new() {
            Ok(sender) => sender,
            Err(why) => {
                tracing::error!(error = %why, "nobody is told of asks");
                return;
            }
        };
        join_all(self.receivers.iter().map(|receiver| {
            let courier = Courier { receiver, sender: &sender, store: &self.store, clock: &*self.clock };
            courier.run(desk.hear())
        }))
        .await;
    }
}

/// Tells one receiver, one thing at a time.
struct Courier<'a> {
    receiver: &'a Receiver,
    sender: &'a Sender,
    store: &'a Sqlite,
    clock: &'a dyn Clock,
}

impl Courier<'_> {
    async fn run(self, mut heard: Heard<String>) {
        loop {
            let now = unix_micros(self.clock.now());
            let next = match self.store.next_for(&self.receiver.name, now).await {
                Ok(Next::Due(delivery)) => self.deliver(&delivery).await,
                Ok(Next::At(due)) => {
                    // The clock on the wall may be moved, so it is looked at again now and then.
                    let wait = Duration::from_micros(due.saturating_sub(now)).min(LONGEST_PAUSE);
                    self.wait(&mut heard, wait).await
                }
                Ok(Next::Nothing) => self.wait(&mut heard, LONGEST_PAUSE).await,
                Err(why) => Err(why),
            };
            if let Err(why) = next {
                tracing::error!(receiver = %self.receiver.name, error = %why, "the outbox cannot be used");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }

    /// Waits until an ask has changed, or so long.
    async fn wait(&self, heard: &mut Heard<String>, most: Duration) -> Result<(), StoreError> {
        match tokio::time::timeout(most, heard.recv()).await {
            Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
            // The desk is gone, and no ask changes any more.
            Ok(Err(RecvError::Closed)) => tokio::time::sleep(most).await,
        }
        Ok(())
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let (name, id, tries) = (&self.receiver.name, &delivery.id, delivery.tries);
        let why = match self.sender.send(self.receiver, delivery, self.clock.now()).await {
            Ok(()) => {
                tracing::info!(receiver = %name, delivery = %id, "a receiver was told of an ask");
                return self.store.done_with(id).await;
            }
            Err(why) => why,
        };
        let now = unix_micros(self.clock.now());
        if Duration::from_micros(now.saturating_sub(delivery.at)) >= LIFETIME {
            tracing::error!(receiver = %name, delivery = %id, %why, "a receiver is not told of an ask any more");
            return self.store.done_with(id).await;
        }
        tracing::warn!(receiver = %name, delivery = %id, tries, %why, "a receiver could not be told of an ask yet");
        let pause = u64::try_from(pause(tries, rand::random()).as_micros()).unwrap_or(u64::MAX);
        self.store.try_again(id, now.saturating_add(pause)).await
    }
}

/// How long to wait after so many tries failed before: twice as long each time, and up to a quarter more, so
/// that what failed together does not come together again. `more` is at random.
fn pause(tries: u32, more: u8) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries));
    pause.saturating_add(pause / 1024 * u32::from(more)).min(LONGEST_PAUSE)
}

/// A store of asks that puts into the outbox what their changes are to tell.
struct Telling {
    receivers: Arc<[Receiver]>,
    base: Arc<str>,
    store: Arc<Sqlite>,
    clock: Arc<dyn Clock>,
}

impl Telling {
    async fn keep(&self, ask: &Ask) -> Result<(), StoreError> {
        let at = unix_micros(self.clock.now());
        let told = self.receivers.iter().filter(|receiver| receiver.wants(ask.state));
        let notices: Result<Vec<Notice>, _> = told
            .map(|receiver| {
                let id = format!("msg_{:032x}", rand::random::<u128>());
                let body = message::event(&id, ask, &self.base, at)?;
                Ok(Notice { id, receiver: receiver.name.clone(), body })
            })
            .collect();
        let notices = notices.map_err(|why: serde_json::Error| StoreError(why.to_string()))?;
        self.store.put_telling(ask, &notices, at).await
    }
}

impl Store for Telling {
    fn put<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.keep(ask))
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ask>, StoreError>> {
        self.store.get(id)
    }

    fn latest<'a>(&'a self, states: &'a [State], most: u32) -> BoxFuture<'a, Result<Vec<Ask>, StoreError>> {
        self.store.latest(states, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_second_to_ten_minutes() {
        for (tries, least, most) in [
            (0, 1_000, 1_250),
            (1, 2_000, 2_500),
            (9, 512_000, 600_000),
            (10, 600_000, 600_000),
            (999, 600_000, 600_000),
        ] {
            assert_eq!(pause(tries, 0), Duration::from_millis(least), "{tries}");
            let longest = pause(tries, u8::MAX);
            assert!(longest > Duration::from_millis(most - most / 100) || tries > 8, "{tries}: {longest:?}");
            assert!(longest <= Duration::from_millis(most), "{tries}: {longest:?}");
        }
    }
}
