//! Who is signed in to the page: the issuers that sign people in, and the cookies that stand for whoever
//! came back from one. It knows no routes.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::clock::{Clock, unix_micros};
use portcullis_core::identity::Identity;
use portcullis_core::sign_in::SignIn;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::{Sqlite, StoreError};

/// Sign-ins at work with an issuer at the same time.
const MAX_AT_WORK: usize = 16;

/// One issuer, as far as people sign in with it.
#[derive(Clone)]
pub struct Issuer {
    /// Its short name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// How people sign in to the page, where they can.
    pub page: Option<Arc<dyn SignIn>>,
    /// How the command line logs in, where it can.
    pub command_line: Option<CommandLine>,
}

/// What the command line needs in order to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CommandLine {
    /// Its id at the issuer.
    pub client_id: String,
    /// The scopes to ask for.
    pub scope: String,
    /// Which token to show to the gate.
    pub token: ShownAs,
}

/// A kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShownAs {
    /// The ID token.
    Id,
    /// The access token.
    Access,
}

/// Where people sign in, and who is.
#[derive(Clone)]
pub struct SignIns {
    /// The issuers, in the order of the configuration.
    pub issuers: Arc<[Issuer]>,
    origin: Arc<str>,
    redirect: Arc<str>,
    at_work: Arc<Semaphore>,
    lasts: Duration,
    store: Arc<Sqlite>,
    clock: Arc<dyn Clock>,
}

/// What a browser shows to be known again. Its text is in the browser and nowhere else.
pub(crate) struct Cookie(String);

impl Cookie {
    fn new() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// As a browser shows it. Anything is taken: what nobody was given is found nowhere.
    pub(crate) fn shown(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        sha256(&[b"portcullis sign-in\0", self.0.as_bytes()])
    }

    /// What a page that may read answers sends along, and a foreign page cannot know.
    pub(crate) fn csrf(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(&[b"portcullis csrf\0", self.0.as_bytes()]))
    }

    /// Whether a request is of the page that was told this cookie's word.
    pub(crate) fn is_of_page(&self, csrf: &str) -> bool {
        is_same(&self.csrf(), csrf)
    }
}

impl SignIns {
    /// By these issuers, for a page at this URL; a sign-in lasts so long.
    pub fn new(issuers: Vec<Issuer>, url: &str, lasts: Duration, store: Arc<Sqlite>, clock: Arc<dyn Clock>) -> Self {
        let redirect = format!("{}/login/callback", url.trim_end_matches('/'));
        Self {
            issuers: issuers.into(),
            origin: origin(url).into(),
            redirect: redirect.into(),
            at_work: Arc::new(Semaphore::new(MAX_AT_WORK)),
            lasts,
            store,
            clock,
        }
    }

    /// Where issuers send browsers back to.
    pub(crate) fn redirect(&self) -> &str {
        &self.redirect
    }

    /// A place among those whose sign-in is at work with an issuer, if there is one.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.at_work).try_acquire_owned().ok()
    }

    /// The page's origin (RFC 6454), as browsers write it.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether browsers may be told to come by TLS alone: it is, and this is no developer's own machine.
    pub(crate) fn is_always_tls(&self) -> bool {
        let host = self.origin.strip_prefix("https://").map(|rest| rest.trim_start_matches('['));
        host.is_some_and(|host| !["localhost", "127.", "::1]"].iter().any(|own| host.starts_with(own)))
    }

    /// How long a sign-in lasts.
    pub(crate) const fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Signs somebody in.
    pub(crate) async fn add(&self, who: &Identity) -> Result<Cookie, StoreError> {
        let cookie = Cookie::new();
        let now = self.clock.now();
        let ends = unix_micros(now.checked_add(self.lasts).unwrap_or(now));
        self.store.add_sign_in(&cookie.hash(), who, unix_micros(now), ends).await?;
        Ok(cookie)
    }

    /// Whom a cookie stands for.
    pub(crate) async fn who(&self, cookie: &Cookie) -> Result<Option<Identity>, StoreError> {
        self.store.sign_in(&cookie.hash(), unix_micros(self.clock.now())).await
    }

    /// Signs a browser out.
    pub(crate) async fn end(&self, cookie: &Cookie) -> Result<(), StoreError> {
        self.store.end_sign_in(&cookie.hash()).await
    }

    /// Signs an identity out of every browser.
    pub(crate) async fn end_all_of(&self, issuer: &str, subject: &str) -> Result<(), StoreError> {
        self.store.end_sign_ins_of(issuer, subject).await
    }
}

/// Whether two texts are equal, in a time that does not say where they differ.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &parts.concat()).as_ref());
    hash
}

/// Scheme, host and port of a URL, without a port that the scheme implies.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let implied = if scheme.eq_ignore_ascii_case("http") { ":80" } else { ":443" };
    format!("{scheme}://{}", authority.strip_suffix(implied).unwrap_or(authority)).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Cookie, origin};

    #[test]
    fn origin_is_as_browsers_write_it() {
        for (url, expected) in [
            ("https://portcullis.example.com/", "https://portcullis.example.com"),
            ("https://Portcullis.example.com:443", "https://portcullis.example.com"),
            ("https://portcullis.example.com:8443/", "https://portcullis.example.com:8443"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:8080/x", "http://[::1]:8080"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }

    #[test]
    fn cookies_are_not_guessed_from_what_is_stored_or_said() {
        let cookie = Cookie::new();
        assert_eq!(cookie.text().len(), 43);
        assert_ne!(cookie.csrf(), Cookie::new().csrf());
        assert!(cookie.is_of_page(&cookie.csrf()) && !cookie.is_of_page("") && !cookie.is_of_page(cookie.text()));
    }
}
