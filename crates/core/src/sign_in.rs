//! Signing people in by a browser: the port behind which an issuer is. It knows no HTTP and no cookies, and
//! keeps nothing of a sign-in that has begun: whoever began it brings that back.

use std::time::Duration;

use crate::BoxFuture;
use crate::identity::Identity;
use crate::secret::Secret;

/// A sign-in that has begun: where the browser goes, and what has to come back with it.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// What the issuer gives back (RFC 6749 §10.12).
    pub state: String,
    /// What the ID token has to say (OIDC Core §15.5.2).
    pub nonce: String,
    /// What proves that whoever began it ends it (RFC 7636).
    pub verifier: Secret<String>,
}

/// What ends a sign-in.
#[derive(Debug)]
pub struct Finish<'a> {
    /// The authorization code that the issuer gave the browser.
    pub code: &'a str,
    /// As it was begun.
    pub nonce: &'a str,
    /// As it was begun.
    pub verifier: &'a Secret<String>,
    /// Where the browser came back to, as it was begun.
    pub redirect: &'a str,
}

/// Why nobody was signed in. The text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The issuer does not answer as it should.
    #[error("{0}")]
    Unavailable(String),
    /// The gate's own settings for the issuer do not work.
    #[error("{0}")]
    Misconfigured(String),
    /// What came back proves nobody.
    #[error("{0}")]
    Rejected(String),
}

/// The port that signs people in at one issuer.
pub trait SignIn: Send + Sync {
    /// Begins: the browser is to come back to `redirect`, and its user to have logged in at the issuer no
    /// longer than `max_age` ago.
    fn begin<'a>(&'a self, redirect: &'a str, max_age: Duration) -> BoxFuture<'a, Result<Begun, SignInError>>;

    /// Ends: who came back.
    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<Identity, SignInError>>;
}
