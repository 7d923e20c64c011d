//! Who makes a request, proven, and what they may.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use portcullis_core::identity::{Identity, IdentityError, Proof};
use portcullis_core::policy::Ruling;
use portcullis_core::secret::Secret;
use portcullis_core::vocabulary::Action;

use super::routes::Asked;
use super::{Api, Failure, LEEWAY};
use crate::ask::{Ask, Person, Unanswerable};
use crate::desk::DeskError;
use crate::http::Peer;
use crate::sign_in::Cookie;
use crate::vocabulary::{PLANE, RECORDINGS_READ};

/// The cookie of somebody who signed in. The prefix makes browsers refuse it from any other host or without
/// TLS.
pub(super) const PAGE_COOKIE: &str = "__Host-portcullis";

/// What the page sends along with every change.
const CSRF: &str = "x-portcullis-csrf";

/// Whoever makes the request, proven.
pub(super) struct Caller {
    pub(super) identity: Identity,
    /// What stands for them, where they signed in.
    pub(super) cookie: Option<Cookie>,
    address: IpAddr,
    asked: Asked,
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let unguarded = || Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "unguarded", "the route has no guard");
        let asked = parts.extensions.get::<Asked>().cloned().ok_or_else(unguarded)?;
        let address = Whence::of(parts).0;
        let (identity, cookie) = proven(api, parts).await?;
        asked.proven();
        Ok(Self { identity, cookie, address, asked })
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whence(pub(super) IpAddr);

impl Whence {
    fn of(parts: &Parts) -> Self {
        Self(parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0))
    }
}

impl<S: Sync> FromRequestParts<S> for Whence {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}

/// The value of a cookie; `None` where it is not there, or more than once (RFC 6265 §5.4).
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lists = headers.get_all(header::COOKIE).iter().filter_map(|list| list.to_str().ok());
    let pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(named, _)| *named == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

/// Whoever is proven by a token, else by the cookie of a sign-in.
async fn proven(api: &Api, parts: &Parts) -> Result<(Identity, Option<Cookie>), Failure> {
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return Ok((by_token(api, parts).await?, None));
    }
    let refused = |code, message: &str| Failure::new(StatusCode::UNAUTHORIZED, code, message);
    let shown = cookie(&parts.headers, PAGE_COOKIE).map(Cookie::shown);
    let shown = shown.ok_or_else(|| refused("no-token", "sign in, or show a bearer token"))?;
    let identity = api.sign_ins.who(&shown).await?;
    let identity = identity.ok_or_else(|| refused("signed-out", "you are not signed in any more; sign in again"))?;
    if !parts.method.is_safe() && !is_of_page(api, &shown, &parts.headers) {
        let message = "this request was not made by the gate's own page";
        return Err(Failure::new(StatusCode::FORBIDDEN, "not-of-page", message));
    }
    Ok((identity, Some(shown)))
}

/// Whether a change comes from the page itself: it knows the word that only the page was told, and the browser
/// says nothing else about where it comes from.
fn is_of_page(api: &Api, cookie: &Cookie, headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    said(CSRF).is_some_and(|csrf| cookie.is_of_page(csrf))
        && said("sec-fetch-site").is_none_or(|site| site == "same-origin")
        && said("origin").is_none_or(|origin| origin == api.sign_ins.origin())
}

async fn by_token(api: &Api, parts: &Parts) -> Result<Identity, Failure> {
    let refused = |code, message: &str| Failure::new(StatusCode::UNAUTHORIZED, code, message);
    let mut told = parts.headers.get_all(header::AUTHORIZATION).iter();
    let told = told.next().filter(|_| told.next().is_none()).and_then(|value| value.to_str().ok());
    let token = told.and_then(|told| told.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else { return Err(refused("no-token", "show a bearer token")) };
    let proof = Proof::Bearer(Secret::new(token.trim().to_owned()));
    match api.identity.identify(&proof).await {
        Ok(identity) => Ok(identity),
        Err(IdentityError::Expired) => Err(refused("token-expired", "the token has expired; log in again")),
        Err(IdentityError::Rejected(why)) => {
            tracing::info!(%why, "a token was not accepted by the control API");
            Err(refused("token-rejected", "the token is not accepted"))
        }
        Err(IdentityError::Unavailable(why)) => {
            tracing::error!(%why, "tokens cannot be verified");
            let message = "tokens cannot be verified now; try again";
            Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "identity-unavailable", message))
        }
    }
}

impl Caller {
    pub(super) fn person(&self) -> Person {
        Person::from(&self.identity)
    }

    /// Requires that the policies permit what the route is for, about this target; what permits it.
    pub(super) fn permitted(&self, api: &Api, target: &str) -> Result<Option<Arc<Ruling>>, Failure> {
        let Some(action) = self.asked.action() else { return Ok(None) };
        let ruling = api.authority.permits(&self.identity, self.address, action, target)?;
        self.asked.permitted();
        Ok(Some(ruling))
    }

    /// What permits something about a target, where anything does.
    pub(super) fn warrant(&self, api: &Api, action: Action, target: &str) -> Option<Arc<Ruling>> {
        api.authority.permits(&self.identity, self.address, action, target).ok()
    }

    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Of these targets, those about which the policies permit what the route is for; at least one.
    pub(super) fn permitted_among(&self, api: &Api, targets: Vec<String>) -> Result<Vec<String>, Failure> {
        let Some(action) = self.asked.action() else { return Ok(targets) };
        let permitted: Vec<String> = targets.into_iter().filter(|target| self.may(api, action, target)).collect();
        if permitted.is_empty() {
            // Where there is none yet, whoever may look at the whole plane sees that.
            self.permitted(api, PLANE)?;
        }
        self.asked.permitted();
        Ok(permitted)
    }

    /// Whether somebody may look at what was recorded on a target.
    pub(super) fn may_read(&self, api: &Api, target: &str) -> bool {
        self.may(api, RECORDINGS_READ, target)
    }

    /// Whether the policies permit something about a target.
    pub(super) fn may(&self, api: &Api, action: Action, target: &str) -> bool {
        self.warrant(api, action, target).is_some()
    }

    /// Whether somebody may see an ask: it is for them, or the policies permit it.
    pub(super) fn sees(&self, api: &Api, ask: &Ask, action: Action) -> bool {
        ask.is_for(&self.person()) || self.may(api, action, &ask.target)
    }

    /// An answer wants a human who has just shown who they are.
    pub(super) fn answers(&self, api: &Api) -> Result<Person, Failure> {
        let now = SystemTime::now();
        let fresh = self.identity.authenticated.is_some_and(|then| match now.duration_since(then) {
            Ok(age) => age <= api.max_login_age,
            Err(ahead) => ahead.duration() <= LEEWAY,
        });
        if fresh { Ok(self.person()) } else { Err(DeskError::from(Unanswerable::StaleLogin).into()) }
    }
}
