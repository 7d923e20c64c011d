//! An issuer's published keys: which are usable, which one signed, and whether it really did.
//!
//! It does not know where the set came from.

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use serde_json::Value;

use super::algorithm::{Algorithm, RSA};
use super::rejection::Rejection;
use super::token::Unverified;

/// More keys than any issuer has.
const MAX_KEYS: usize = 128;
/// How long keys stay usable past their time while the issuer cannot be reached.
const GRACE: Duration = Duration::from_secs(72 * 3600);

/// What names one state of an issuer's keys.
pub(super) type KeysId = [u8; 32];

/// A set of keys, as it was at one time.
#[derive(Debug)]
pub(super) struct KeySet {
    id: KeysId,
    keys: Vec<Key>,
    listed: Option<Vec<Algorithm>>,
    fetched: SystemTime,
    lifetime: Duration,
}

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

/// What an issuer publishes, before it is understood.
#[derive(Debug, Clone)]
pub(super) struct Published {
    /// The key set's JSON.
    pub(super) keys: Vec<u8>,
    /// The algorithms that discovery lists, where it does.
    pub(super) listed: Option<Vec<Algorithm>>,
    /// When it was fetched.
    pub(super) fetched: SystemTime,
    /// How long it is fresh.
    pub(super) lifetime: Duration,
}

/// Why a key set cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    #[error("the issuer's key set is not a JSON object with a list of `keys`")]
    NotASet,
    #[error("the issuer's key set has more than {MAX_KEYS} keys")]
    TooMany,
    #[error("the issuer's key set has no key that could verify a signature")]
    NoneUsable,
}

impl KeySet {
    pub(super) fn parse(published: &Published) -> Result<Self, KeySetError> {
        let set: Value = serde_json::from_slice(&published.keys).map_err(|_| KeySetError::NotASet)?;
        let all = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotASet)?;
        if all.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        // A set may hold keys for other uses and of kinds yet unknown (RFC 7517 §5): passed over.
        let keys: Vec<Key> = all.iter().filter_map(Key::parse).collect();
        if keys.is_empty() {
            return Err(KeySetError::NoneUsable);
        }
        Ok(Self {
            id: identify(published),
            keys,
            listed: published.listed.clone(),
            fetched: published.fetched,
            lifetime: published.lifetime,
        })
    }

    pub(super) const fn id(&self) -> &KeysId {
        &self.id
    }

    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) const fn fetched(&self) -> SystemTime {
        self.fetched
    }

    /// Whether the set may be used without asking again.
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        self.age(now).is_some_and(|age| age < self.lifetime)
    }

    /// Whether it is time to fetch the set anew, before it is stale.
    pub(super) fn is_due(&self, now: SystemTime) -> bool {
        self.age(now).is_none_or(|age| age >= self.lifetime / 4 * 3)
    }

    /// Whether the set may still be used while the issuer cannot be reached.
    pub(super) fn is_usable(&self, now: SystemTime) -> bool {
        // Keys from the future are usable, not fresh: the clock was wrong then or is now.
        self.age(now).is_none_or(|age| age < self.lifetime.saturating_add(GRACE))
    }

    fn age(&self, now: SystemTime) -> Option<Duration> {
        now.duration_since(self.fetched).ok()
    }

    /// Checks the signature of `token`. `allowed` is the configuration's list, which goes before
    /// the issuer's own.
    pub(super) fn verify(&self, token: &Unverified<'_>, allowed: Option<&[Algorithm]>) -> Result<(), Rejection> {
        let algorithm = token.algorithm;
        if !allowed.or(self.listed.as_deref()).is_none_or(|list| list.contains(&algorithm)) {
            return Err(Rejection::AlgorithmNotListed(algorithm));
        }
        let key = self.find(token.kid.as_deref(), algorithm)?;
        let verified =
            jsonwebtoken::crypto::verify(token.signature, token.message.as_bytes(), &key.public, algorithm.to_jwt());
        if matches!(verified, Ok(true)) { Ok(()) } else { Err(Rejection::Signature) }
    }

    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Key, Rejection> {
        let fits = |key: &&Key| key.algorithms.contains(&algorithm);
        let Some(kid) = kid else {
            let mut fitting = self.keys.iter().filter(fits);
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Ok(only),
                _ => Err(Rejection::NoKeyNamed),
            };
        };
        let named = || self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid));
        if named().next().is_none() {
            return Err(Rejection::UnknownKey);
        }
        named().find(fits).ok_or(Rejection::AlgorithmNotOfKey(algorithm))
    }
}

impl Key {
    fn parse(value: &Value) -> Option<Self> {
        let jwk = Jwk::deserialize_from(value)?;
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !signs || !verifies {
            return None;
        }
        let mut algorithms = of_type(&jwk.algorithm);
        if let Some(alg) = value.get("alg") {
            let only = Algorithm::named(alg.as_str()?)?;
            algorithms.retain(|algorithm| *algorithm == only);
        }
        if algorithms.is_empty() {
            return None;
        }
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { kid: jwk.common.key_id, algorithms, public })
    }
}

trait FromValue: Sized {
    fn deserialize_from(value: &Value) -> Option<Self>;
}

impl FromValue for Jwk {
    fn deserialize_from(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }
}

/// What a key's own type can sign with. Symmetric keys (`oct`) sign nothing here: a secret that is
/// published is none, and HMAC with it would prove nothing.
fn of_type(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(_) => RSA.to_vec(),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        _ => Vec::new(),
    }
}

fn identify(published: &Published) -> KeysId {
    let mut all = published.keys.clone();
    // Nothing of the key set's JSON can end in this, so no two states have one id.
    all.push(0);
    for algorithm in published.listed.iter().flatten() {
        all.extend_from_slice(algorithm.name().as_bytes());
        all.push(0);
    }
    let mut id = [0; 32];
    id.copy_from_slice(digest(&SHA256, &all).as_ref());
    id
}
