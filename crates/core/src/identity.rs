//! Who a client is: the identity that a proof stands for, and the port that verifies proofs.
//!
//! An identity comes from a credential and from nothing else; the name that a client asks for on
//! the target is not part of it.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::BoxFuture;
use crate::secret::Secret;

/// A verified identity. Two identities are the same person or workload when issuer and subject are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The issuer's URL, exactly as it signs.
    pub issuer: String,
    /// The issuer's stable name for the subject.
    pub subject: String,
    /// Person or program.
    pub kind: Kind,
    /// Groups, each prefixed by the configured name of its issuer: `okta:dba`.
    pub groups: Vec<String>,
    /// The e-mail address, only where the issuer says that it verified it.
    pub email: Option<String>,
    /// Who acts for the subject, outermost first (RFC 8693 `act`); empty where nobody does.
    pub actors: Vec<String>,
    /// The credential's own id (`jti`), so that this one credential can be revoked.
    pub token: Option<String>,
    /// When the subject last showed who they are (`auth_time`), or when the credential was issued;
    /// not recorded.
    #[serde(skip)]
    pub authenticated: Option<SystemTime>,
    /// When the credential ends.
    #[serde(with = "unix_seconds")]
    pub expires: SystemTime,
}

impl Identity {
    /// A name for people: the verified e-mail address, else the subject.
    pub fn name(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.subject)
    }
}

/// What kind of subject an identity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A human being.
    User,
    /// A program: a service account, a pipeline, an agent of its own.
    Workload,
}

/// What a client shows to be let in.
#[derive(Debug)]
pub enum Proof {
    /// A bearer token, as OIDC issuers sign them.
    Bearer(Secret<String>),
}

/// Why a proof was not accepted. The text is for the operator; clients are told only the class.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The proof is not good: wrong signature, audience, time, form.
    #[error("{0}")]
    Rejected(String),
    /// The proof was good and has ended.
    #[error("the token has expired")]
    Expired,
    /// Whether it is good cannot be found out now: the issuer cannot be reached.
    #[error("{0}")]
    Unavailable(String),
}

/// The port that turns proofs into identities.
pub trait IdentitySource: Send + Sync {
    /// Verifies `proof`. Anything but a proven identity is an error.
    fn identify<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>>;

    /// Where clients get tokens: what an OAUTHBEARER client is told when it comes without one
    /// (RFC 7628 §3.2.2). `None` where there is no single such place.
    fn discovery(&self) -> Option<Discovery> {
        None
    }
}

/// What a ticket begins with. No token of an issuer does.
pub const TICKET_PREFIX: &str = "pct_";

/// The port behind which tickets are: short texts that stand for a proven identity at one target, once, for
/// clients that can send a short password only.
pub trait Tickets: Send + Sync {
    /// Whoever the ticket was made for, where it is good at this target. It is used up then, and where
    /// it is shown at another target, too.
    fn redeem(&self, target: &str, ticket: &Secret<String>) -> Option<Identity>;
}

/// Where a client can get a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// URL of the issuer's discovery document.
    pub configuration: String,
    /// Scopes to ask for, separated by spaces.
    pub scope: String,
}

mod unix_seconds {
    use std::time::{Duration, SystemTime};

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(crate::clock::unix_micros(*time) / 1_000_000)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let seconds = u64::deserialize(from)?;
        SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(seconds))
            .ok_or_else(|| serde::de::Error::custom("the time is out of range"))
    }
}
