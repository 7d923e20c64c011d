//! The OIDC adapter against the mini issuer: real HTTP, real signatures, a clock that is held.

mod bad_tokens;
mod code_flow;
mod configs;
mod https;
mod identities;
mod outages;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use portcullis_core::clock::Clock;
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Proof};
use portcullis_core::secret::Secret;
use portcullis_testkit::issuer::{Claims, Issuer};
use serde_json::{Value, json};

use super::{Failure, Oidc, OidcConfig, Rejection};

/// A clock that stands still until it is moved.
struct Held(Mutex<SystemTime>);

impl Held {
    fn now() -> Arc<Self> {
        Arc::new(Self(Mutex::new(SystemTime::now())))
    }

    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Held {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// A configuration for `url`, with `more` members laid over it.
#[expect(clippy::needless_pass_by_value, reason = "so that a table's `json!` stands there as it is")]
fn config(url: &str, more: Value) -> OidcConfig {
    let mut all = json!({ "name": "okta", "issuer": url, "audience": "portcullis" });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn oidc_with(issuer: &Issuer, more: Value, dir: Option<&Path>, clock: &Arc<Held>) -> Oidc {
    Oidc::new(vec![config(issuer.url(), more)], dir.map(Path::to_owned), Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

fn oidc(issuer: &Issuer, clock: &Arc<Held>) -> Oidc {
    oidc_with(issuer, json!({}), None, clock)
}

async fn identify(oidc: &Oidc, token: &str) -> Result<Identity, IdentityError> {
    oidc.identify(&Proof::Bearer(Secret::new(token.to_owned()))).await
}

async fn rejection(oidc: &Oidc, token: &str) -> Option<Rejection> {
    match oidc.verify(token).await {
        Err((Failure::Rejected(why), _)) => Some(why),
        Err((Failure::Unavailable(why), _)) => panic!("unavailable: {why}"),
        Ok(_) => None,
    }
}

async fn unavailable(oidc: &Oidc, token: &str) -> String {
    match identify(oidc, token).await {
        Err(IdentityError::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn alice() -> Claims {
    Claims::new("alice")
}
