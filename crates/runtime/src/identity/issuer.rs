//! One issuer as the gate knows it: which keys it has now, and when to ask it for others.
//!
//! Keys are asked for by one caller at a time, and seldom; whoever can go on without them does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use portcullis_core::identity::{Discovery, Identity};
use tokio::sync::{Mutex, MutexGuard};

use super::claims;
use super::config::{OidcConfig, SubjectKind};
use super::disk;
use super::fetch::{self, Fetcher};
use super::health::{Counters, OidcHealth};
use super::keys::{KeySet, KeysId, Published};
use super::rejection::Rejection;
use super::token::Unverified;

/// The shortest time between two refreshes for the sake of unknown keys.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);
/// The shortest time between a failed refresh and the next, with keys at hand.
const FAILED_PAUSE: Duration = Duration::from_secs(30);
/// The same without keys, when nobody can log in.
const EMPTY_PAUSE: Duration = Duration::from_secs(5);

/// One configured issuer.
pub(super) struct Issuer {
    config: OidcConfig,
    fetcher: Fetcher,
    file: Option<PathBuf>,
    keys: ArcSwapOption<KeySet>,
    /// Held across the fetch on purpose: it is what makes all others wait for the one.
    attempts: Mutex<Attempts>,
    counters: Counters,
}

/// What was tried before.
#[derive(Default)]
struct Attempts {
    for_unknown_key: Option<SystemTime>,
    failed: Option<(SystemTime, String)>,
}

/// Why an issuer's token gave no identity.
#[derive(Debug)]
pub(super) enum KeyFailure {
    Rejected(Rejection),
    Unavailable(String),
}

impl Issuer {
    pub(super) fn new(config: OidcConfig, fetcher: Fetcher, file: Option<PathBuf>, now: SystemTime) -> Self {
        let kept = file.as_deref().and_then(|file| load(file, &config, now));
        Self {
            fetcher,
            file,
            keys: ArcSwapOption::from_pointee(kept),
            attempts: Mutex::default(),
            counters: Counters::default(),
            config,
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.config.issuer
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    pub(super) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn is_for_people(&self) -> bool {
        self.config.kind == SubjectKind::User
    }

    pub(super) fn discovery(&self) -> Discovery {
        let configuration = fetch::discovery_url(&self.config.issuer);
        Discovery { configuration, scope: self.config.scope.clone() }
    }

    pub(super) fn health(&self, now: SystemTime) -> OidcHealth {
        let keys = self.keys.load();
        self.counters.fill(OidcHealth {
            name: self.config.name.clone(),
            last_refresh: keys.as_ref().map(|keys| keys.fetched()),
            keys: keys.as_ref().map_or(0, |keys| keys.len()),
            fresh: keys.as_ref().is_some_and(|keys| keys.is_fresh(now)),
            refreshes: 0,
            failures: 0,
            rejected: 0,
            unavailable: 0,
        })
    }

    /// Verifies a token that names this issuer, and says which keys proved it.
    pub(super) async fn verify(
        &self,
        token: &Unverified<'_>,
        now: SystemTime,
    ) -> Result<(Identity, KeysId), KeyFailure> {
        let mut keys = self.keys(now).await.map_err(KeyFailure::Unavailable)?;
        let allowed = self.config.algorithms.as_deref();
        let mut verified = keys.verify(token, allowed);
        if verified == Err(Rejection::UnknownKey) {
            keys = self.keys_after(&keys, now).await.map_err(KeyFailure::Unavailable)?;
            verified = keys.verify(token, allowed);
        }
        verified.map_err(KeyFailure::Rejected)?;
        // no signature, no claims
        let identity = claims::identity(&token.claims, &self.config, now).map_err(KeyFailure::Rejected)?;
        Ok((identity, *keys.id()))
    }

    /// The keys to verify with now. Fresh ones cost no network; stale ones are refreshed first, and
    /// used if that fails; without any, there is nothing but to wait and to refuse.
    pub(super) async fn keys(&self, now: SystemTime) -> Result<Arc<KeySet>, String> {
        let at_hand = self.keys.load_full();
        if let Some(keys) = at_hand.as_ref().filter(|keys| keys.is_fresh(now)) {
            return Ok(Arc::clone(keys));
        }
        let Some(stale) = at_hand.filter(|keys| keys.is_usable(now)) else {
            let attempts = self.attempts.lock().await;
            return self.fetch_if_due(attempts, now, EMPTY_PAUSE).await;
        };
        // Whoever finds another at it goes on with what is at hand.
        let Ok(attempts) = self.attempts.try_lock() else { return Ok(stale) };
        Ok(self.fetch_if_due(attempts, now, FAILED_PAUSE).await.unwrap_or(stale))
    }

    /// The keys after one more try, for a token whose key is not among `seen`.
    async fn keys_after(&self, seen: &KeySet, now: SystemTime) -> Result<Arc<KeySet>, String> {
        let mut attempts = self.attempts.lock().await;
        if let Some(newer) = self.keys.load_full().filter(|keys| keys.id() != seen.id()) {
            return Ok(newer);
        }
        if is_within(attempts.for_unknown_key, now, UNKNOWN_KEY_PAUSE) {
            // The issuer was asked just now. If it was silent, nobody knows whether the key is good.
            let unchanged = self.keys.load_full();
            return match (&attempts.failed, unchanged) {
                (None, Some(keys)) => Ok(keys),
                (Some((_, why)), _) => Err(why.clone()),
                (None, None) => Err(String::from("the issuer's keys are not at hand")),
            };
        }
        attempts.for_unknown_key = Some(now);
        self.fetch(attempts, now).await
    }

    /// Refreshes in the background, before anybody has to wait.
    pub(super) async fn refresh_due(&self, now: SystemTime) {
        let at_hand = self.keys.load_full();
        if at_hand.as_ref().is_some_and(|keys| !keys.is_due(now)) {
            return;
        }
        let pause = if at_hand.is_some() { FAILED_PAUSE } else { EMPTY_PAUSE };
        let Ok(attempts) = self.attempts.try_lock() else { return };
        if !is_within(attempts.failed.as_ref().map(|(at, _)| *at), now, pause) {
            // A failure is counted and logged where it happens.
            let _ = self.fetch(attempts, now).await;
        }
    }

    async fn fetch_if_due(
        &self,
        attempts: MutexGuard<'_, Attempts>,
        now: SystemTime,
        pause: Duration,
    ) -> Result<Arc<KeySet>, String> {
        // Another may have fetched them while this one waited for its turn.
        if let Some(fresh) = self.keys.load_full().filter(|keys| keys.is_fresh(now)) {
            return Ok(fresh);
        }
        match &attempts.failed {
            Some((at, why)) if is_within(Some(*at), now, pause) => Err(why.clone()),
            _ => self.fetch(attempts, now).await,
        }
    }

    async fn fetch(&self, mut attempts: MutexGuard<'_, Attempts>, now: SystemTime) -> Result<Arc<KeySet>, String> {
        // Stands if the caller goes away in the middle, so that coming and going does not hurry it.
        attempts.failed = Some((now, String::from("the issuer's keys were asked for and have not come yet")));
        match self.fetch_keys(now).await {
            Ok(keys) => {
                attempts.failed = None;
                self.counters.count_refresh();
                self.keys.store(Some(Arc::clone(&keys)));
                tracing::info!(issuer = self.name(), keys = keys.len(), "the issuer's keys were refreshed");
                Ok(keys)
            }
            Err(reason) => {
                self.counters.count_failure();
                tracing::warn!(issuer = self.name(), reason = %reason, "the issuer's keys cannot be refreshed");
                attempts.failed = Some((now, reason.clone()));
                Err(reason)
            }
        }
    }

    async fn fetch_keys(&self, now: SystemTime) -> Result<Arc<KeySet>, String> {
        let published = self.fetcher.fetch(now).await.map_err(|error| error.to_string())?;
        let keys = KeySet::parse(&published).map_err(|error| error.to_string())?;
        self.keep(published).await;
        Ok(Arc::new(keys))
    }

    /// Keeps good keys for the next start. That it fails is no reason to refuse anybody now.
    async fn keep(&self, published: Published) {
        let Some(file) = self.file.clone() else { return };
        let issuer = self.config.issuer.clone();
        let stored = tokio::task::spawn_blocking(move || disk::store(&file, &issuer, &published)).await;
        let failure = match stored {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(issuer = self.name(), reason = %failure, "the issuer's keys cannot be kept on disk");
    }
}

fn load(file: &Path, config: &OidcConfig, now: SystemTime) -> Option<KeySet> {
    let refused = |reason: String| {
        tracing::warn!(issuer = config.name, reason = %reason, "the keys on disk are not used");
    };
    let published = disk::load(file, &config.issuer).map_err(|error| refused(error.to_string())).ok()??;
    let keys = KeySet::parse(&published).map_err(|error| refused(error.to_string())).ok()?;
    if !keys.is_usable(now) {
        refused(String::from("they are too old"));
        return None;
    }
    Some(keys)
}

/// Whether `then` is less than `pause` ago. A time in the future means that the clock was set back:
/// nothing is held up by that.
fn is_within(then: Option<SystemTime>, now: SystemTime, pause: Duration) -> bool {
    then.and_then(|then| now.duration_since(then).ok()).is_some_and(|ago| ago < pause)
}
