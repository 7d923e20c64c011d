//! What a token says: a builder with good defaults that lets every claim be set wrong or left out.
//!
//! It knows nothing of keys; see `keys`.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

/// The audience of tokens unless another is set.
pub(super) const AUDIENCE: &str = "portcullis";
const LIFETIME: Duration = Duration::from_secs(3600);

/// The claims of one token.
#[derive(Debug, Clone)]
pub struct Claims {
    set: Map<String, Value>,
    without: Vec<String>,
    issued: Option<SystemTime>,
    lifetime: Duration,
    pub(super) rsa: bool,
}

impl Claims {
    /// Claims of `subject`, with defaults for all else.
    pub fn new(subject: &str) -> Self {
        let set = Map::from_iter([(String::from("sub"), json!(subject))]);
        Self { set, without: Vec::new(), issued: None, lifetime: LIFETIME, rsa: false }
    }

    /// Sets any claim to any value.
    #[must_use]
    pub fn set(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.set.insert(claim.to_owned(), value.into());
        self
    }

    /// Leaves a claim out, a default one too.
    #[must_use]
    pub fn without(mut self, claim: &str) -> Self {
        self.set.remove(claim);
        self.without.push(claim.to_owned());
        self
    }

    /// Sets `groups`.
    #[must_use]
    pub fn groups<const N: usize>(self, groups: [&str; N]) -> Self {
        self.set("groups", json!(groups.as_slice()))
    }

    /// Sets a verified e-mail address.
    #[must_use]
    pub fn email(self, email: &str) -> Self {
        self.set("email", email).set("email_verified", true)
    }

    /// Sets `aud`: a text, or an array of texts.
    #[must_use]
    pub fn audience(self, audience: impl Into<Value>) -> Self {
        self.set("aud", audience)
    }

    /// Issues the token at `time` instead of now: `iat`, and `exp` counted from it.
    #[must_use]
    pub const fn issued_at(mut self, time: SystemTime) -> Self {
        self.issued = Some(time);
        self
    }

    /// How long the token lives.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Makes it a token that expired an hour ago.
    #[must_use]
    pub fn expired(self) -> Self {
        self.issued_at(SystemTime::now() - 2 * LIFETIME)
    }

    /// Signs with RS256 instead of ES256.
    #[must_use]
    pub const fn rs256(mut self) -> Self {
        self.rsa = true;
        self
    }

    pub(super) fn complete(&self, issuer: &str, id: &str) -> Value {
        let issued = unix(self.issued.unwrap_or_else(SystemTime::now));
        let defaults = [
            ("iss", json!(issuer)),
            ("aud", json!(AUDIENCE)),
            ("iat", json!(issued)),
            ("exp", json!(issued + self.lifetime.as_secs())),
            ("jti", json!(id)),
        ];
        let mut all = self.set.clone();
        for (claim, value) in defaults {
            all.entry(claim).or_insert(value);
        }
        all.retain(|claim, _| !self.without.contains(claim));
        Value::Object(all)
    }
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
