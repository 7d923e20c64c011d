//! An identity source that knows one token.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use portcullis_core::BoxFuture;
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Kind, Proof};

use super::TOKEN;

/// Accepts [`TOKEN`] as `agent@example.com` of the group `fake:agents`, and nothing else.
#[derive(Debug, Default)]
pub struct FakeIdentity {
    down: AtomicBool,
}

impl FakeIdentity {
    /// Identities cannot be verified from now on.
    pub fn fail(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// The identity behind [`TOKEN`].
    pub fn agent() -> Identity {
        Identity {
            issuer: "https://issuer.example.com".into(),
            subject: "agent".into(),
            kind: Kind::Workload,
            groups: vec!["fake:agents".into()],
            email: Some("agent@example.com".into()),
            actors: Vec::new(),
            token: Some("token-1".into()),
            authenticated: None,
            expires: SystemTime::now().checked_add(Duration::from_secs(3_600)).unwrap_or_else(SystemTime::now),
        }
    }
}

impl IdentitySource for FakeIdentity {
    fn identify<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        let Proof::Bearer(token) = proof;
        let answer = if self.down.load(Ordering::SeqCst) {
            Err(IdentityError::Unavailable("the issuer is down".into()))
        } else if token.expose() == TOKEN {
            Ok(Self::agent())
        } else {
            Err(IdentityError::Rejected("the token is not the one that is known".into()))
        };
        Box::pin(std::future::ready(answer))
    }
}
