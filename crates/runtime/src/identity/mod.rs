//! Who clients are: the OIDC adapter of core's identity port.
//!
//! It joins the steps of this folder: `token` takes a bearer token apart, `issuer` has the keys of
//! whom it names, `keys` checks the signature, `claims` reads the identity, `verified` remembers
//! the result. It knows no protocol and no policy.

mod algorithm;
mod claims;
mod code_flow;
mod config;
mod disk;
mod fetch;
mod groups;
mod health;
mod issuer;
mod keys;
mod rejection;
mod tickets;
mod token;
mod verified;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use portcullis_core::BoxFuture;
use portcullis_core::clock::Clock;
use portcullis_core::identity::{Discovery, Identity, IdentityError, IdentitySource, Proof};

pub use algorithm::Algorithm;
pub use code_flow::CodeFlow;
pub use config::{Audience, CommandLine, OidcConfig, OidcError, ShownToken, SignIn, SubjectKind};
pub use health::OidcHealth;
pub use rejection::Rejection;
pub use tickets::WithTickets;

use fetch::Fetcher;
use issuer::{Issuer, KeyFailure};
use token::Unverified;
use verified::{Fingerprint, Verified};

/// How often [`Oidc::run`] looks whether keys are due.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Verifies bearer tokens of the configured issuers.
pub struct Oidc {
    issuers: Vec<Issuer>,
    verified: Verified,
    clock: Arc<dyn Clock>,
}

/// Why a token gave no identity.
enum Failure {
    Rejected(Rejection),
    Unavailable(String),
}

impl Oidc {
    /// Sets the verifier up. It asks no issuer yet: keys come from `cache_dir`, where the last good
    /// ones are kept (`None` keeps none), or with the first token, or from [`Oidc::run`].
    pub fn new(configs: Vec<OidcConfig>, cache_dir: Option<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self, OidcError> {
        // An error means that a provider is installed already, which is as good.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        config::check(&configs)?;
        let file = move |issuer: &str| cache_dir.as_deref().map(|dir| disk::file(dir, issuer));
        let now = clock.now();
        let issuers = configs
            .into_iter()
            .map(|config| {
                let (fetcher, file) = (Fetcher::new(&config)?, file(&config.issuer));
                Ok(Issuer::new(config, fetcher, file, now))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { issuers, verified: Verified::default(), clock })
    }

    /// Keeps the keys fresh, so that no client has to wait for an issuer. Spawn this once; it ends
    /// when it is dropped. Without it, keys are fetched when a token needs them.
    pub async fn run(&self) {
        loop {
            self.refresh_due().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Fetches the keys that are missing or will soon be stale: one round of [`Oidc::run`].
    pub async fn refresh_due(&self) {
        let now = self.clock.now();
        // All at once, so that a silent issuer does not keep the others waiting.
        join_all(self.issuers.iter().map(|issuer| issuer.refresh_due(now))).await;
    }

    /// How each issuer fares, in the order of the configuration.
    pub fn health(&self) -> Vec<OidcHealth> {
        self.issuers.iter().map(|issuer| issuer.health(self.clock.now())).collect()
    }

    async fn verify(&self, bearer: &str) -> Result<Arc<Identity>, (Failure, Option<&Issuer>)> {
        if bearer.len() > token::MAX_TOKEN {
            return Err((Rejection::TooLarge.into(), None));
        }
        let fingerprint = Fingerprint::of(bearer);
        if let Some(identity) = self.recall(&fingerprint).await {
            return Ok(identity);
        }
        let token = Unverified::parse(bearer).map_err(|why| (why.into(), None))?;
        let named = token.issuer().map_err(|why| (why.into(), None))?;
        let Some((index, issuer)) = self.issuers.iter().enumerate().find(|(_, known)| known.url() == named) else {
            return Err((Rejection::unknown_issuer(named).into(), None));
        };
        let now = self.clock.now();
        let (identity, keys) = issuer.verify(&token, now).await.map_err(|why| (Failure::from(why), Some(issuer)))?;
        let identity = Arc::new(identity);
        self.verified.remember(fingerprint, index, keys, &identity, now);
        Ok(identity)
    }

    /// A token that was verified before with the keys that its issuer has now.
    async fn recall(&self, fingerprint: &Fingerprint) -> Option<Arc<Identity>> {
        let (index, keys, identity) = self.verified.recall(fingerprint)?;
        let issuer = self.issuers.get(index)?;
        let now = self.clock.now();
        // no keys, no trust in what they once proved
        let current = issuer.keys(now).await.ok()?;
        (current.id() == &keys && !claims::is_expired(identity.expires, now)).then_some(identity)
    }

    fn refused(failure: Failure, issuer: Option<&Issuer>) -> IdentityError {
        let name = issuer.map_or("", |issuer| issuer.name());
        match failure {
            Failure::Rejected(reason) => {
                if let Some(issuer) = issuer {
                    issuer.counters().count_rejected();
                }
                tracing::warn!(issuer = name, reason = %reason, "a token was refused");
                if reason == Rejection::Expired {
                    IdentityError::Expired
                } else {
                    IdentityError::Rejected(reason.to_string())
                }
            }
            Failure::Unavailable(reason) => {
                if let Some(issuer) = issuer {
                    issuer.counters().count_unavailable();
                }
                tracing::warn!(issuer = name, reason = %reason, "a token could not be verified");
                IdentityError::Unavailable(reason)
            }
        }
    }
}

impl IdentitySource for Oidc {
    fn identify<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        let Proof::Bearer(token) = proof;
        Box::pin(async move {
            let identity =
                self.verify(token.expose()).await.map_err(|(failure, issuer)| Self::refused(failure, issuer))?;
            Ok(Identity::clone(&identity))
        })
    }

    fn discovery(&self) -> Option<Discovery> {
        let mut people = self.issuers.iter().filter(|issuer| issuer.is_for_people());
        let only = people.next()?;
        people.next().is_none().then(|| only.discovery())
    }
}

impl From<Rejection> for Failure {
    fn from(why: Rejection) -> Self {
        Self::Rejected(why)
    }
}

impl From<KeyFailure> for Failure {
    fn from(why: KeyFailure) -> Self {
        match why {
            KeyFailure::Rejected(reason) => Self::Rejected(reason),
            KeyFailure::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

#[cfg(test)]
mod tests;
