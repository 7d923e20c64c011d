//! Signing in and out by a browser. What has begun is kept in the browser alone, in a cookie that no script
//! reads, so that strangers who begin and never end cost nothing here.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::identity::Identity;
use portcullis_core::secret::Secret;
use portcullis_core::sign_in::{Finish, SignIn, SignInError};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::caller::{Caller, PAGE_COOKIE, Whence, cookie};
use super::{Api, Failure};
use crate::ask::Person;
use crate::audit::{Deed, SIGN_IN};
use crate::sign_in::{CommandLine, Cookie, is_same};
use crate::vocabulary::PLANE;

/// Keeps a sign-in that has begun. The prefix makes browsers refuse it from any other host or without TLS.
const LOGIN_COOKIE: &str = "__Host-portcullis-login";

/// How long a sign-in may take, in seconds.
const PATIENCE: u64 = 600;

/// The longest path to come back to.
const MAX_PATH: usize = 2048;

/// The issuers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Issuers {
    /// In the order of the configuration.
    pub issuers: Vec<ShownIssuer>,
}

/// An issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShownIssuer {
    /// Its short name.
    pub name: String,
    /// Its URL.
    pub issuer: String,
    /// Whether people sign in to the page with it.
    pub page: bool,
    /// How the command line logs in, where it can.
    pub command_line: Option<CommandLine>,
}

pub(super) async fn issuers(Shared(api): Shared<Api>) -> Json<Issuers> {
    let shown = api.sign_ins.issuers.iter().map(|issuer| ShownIssuer {
        name: issuer.name.clone(),
        issuer: issuer.url.clone(),
        page: issuer.page.is_some(),
        command_line: issuer.command_line.clone(),
    });
    Json(Issuers { issuers: shown.collect() })
}

/// Why nobody is signed in, as a page.
pub(super) struct Unsigned(StatusCode, String);

impl Unsigned {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(status, message.into())
    }
}

impl From<SignInError> for Unsigned {
    fn from(why: SignInError) -> Self {
        tracing::warn!(error = %why, "nobody was signed in");
        let (status, message) = match why {
            SignInError::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "The identity provider does not answer. Try again in a moment.")
            }
            SignInError::Misconfigured(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The gate's settings for this identity provider do not work; its log says why.",
            ),
            SignInError::Rejected(_) => {
                (StatusCode::FORBIDDEN, "What the identity provider said is not accepted. Sign in anew.")
            }
        };
        Self::new(status, message)
    }
}

impl From<Failure> for Unsigned {
    fn from(why: Failure) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, why.message)
    }
}

impl IntoResponse for Unsigned {
    /// The message is the gate's own: nothing that came with the request stands in it.
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>Not signed in</title>\
             <h1>You are not signed in</h1><p>{message}</p><p><a href=\"/sign-in\">Sign in</a></p></html>\n"
        );
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::SET_COOKIE, removed(LOGIN_COOKIE)),
        ];
        (status, headers, page).into_response()
    }
}

/// What a browser keeps of a sign-in that has begun.
#[derive(Serialize, Deserialize)]
struct Login {
    issuer: String,
    state: String,
    nonce: String,
    verifier: String,
    to: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct Wanted {
    issuer: String,
    #[serde(rename = "return", default)]
    to: String,
}

pub(super) async fn begin(
    Shared(api): Shared<Api>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Unsigned> {
    let unknown = || Unsigned::new(StatusCode::NOT_FOUND, "There is no such identity provider here.");
    let Query(wanted) = wanted.map_err(|_| unknown())?;
    let (_, page) = at(&api, &wanted.issuer).ok_or_else(unknown)?;
    let _place = place(&api)?;
    let begun = page.begin(api.sign_ins.redirect(), api.max_login_age).await?;
    let login = Login {
        issuer: wanted.issuer,
        state: begun.state,
        nonce: begun.nonce,
        verifier: begun.verifier.expose().clone(),
        to: own_path(&wanted.to).to_owned(),
    };
    let kept = serde_json::to_vec(&login).map(|login| URL_SAFE_NO_PAD.encode(login)).unwrap_or_default();
    // The issuer's own page leads back, so this one cookie has to come along from there.
    let kept = set(LOGIN_COOKIE, &kept, PATIENCE, "Lax");
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, text(&begun.url)?), (header::SET_COOKIE, kept)]).into_response())
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub(super) struct CameBack {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(super) async fn finish(
    Shared(api): Shared<Api>,
    whence: Whence,
    headers: HeaderMap,
    came: Result<Query<CameBack>, QueryRejection>,
) -> Result<Response, Unsigned> {
    let anew =
        || Unsigned::new(StatusCode::BAD_REQUEST, "This sign-in has not begun in this browser, or took too long.");
    let Query(came) = came.map_err(|_| anew())?;
    let kept = cookie(&headers, LOGIN_COOKIE).and_then(|kept| URL_SAFE_NO_PAD.decode(kept).ok());
    let login: Login = kept.and_then(|kept| serde_json::from_slice(&kept).ok()).ok_or_else(anew)?;
    if !came.state.is_some_and(|state| is_same(&state, &login.state)) {
        return Err(anew());
    }
    let (url, page) = at(&api, &login.issuer).ok_or_else(anew)?;
    // Another issuer's answer is not taken for this one's (RFC 9207).
    if came.iss.is_some_and(|iss| iss != url) {
        return Err(anew());
    }
    if came.error.is_some() {
        return Err(Unsigned::new(StatusCode::FORBIDDEN, "The identity provider did not let you in."));
    }
    let code = came.code.ok_or_else(anew)?;
    let place = place(&api)?;
    let verifier = Secret::new(login.verifier);
    let ends = Finish { code: &code, nonce: &login.nonce, verifier: &verifier, redirect: api.sign_ins.redirect() };
    let identity = page.finish(ends).await?;
    drop(place);
    let cookie = signed_in(&api, &identity, whence).await?;
    let cookie = set(PAGE_COOKIE, cookie.text(), api.sign_ins.lasts().as_secs(), "Strict");
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, text(own_path(&login.to))?)]).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response.headers_mut().append(header::SET_COOKIE, removed(LOGIN_COOKIE));
    Ok(response)
}

/// Signs somebody in, once that is recorded.
async fn signed_in(api: &Api, identity: &Identity, Whence(address): Whence) -> Result<Cookie, Failure> {
    let deed = Deed {
        who: Person::from(identity),
        address,
        action: SIGN_IN,
        target: PLANE.to_owned(),
        what: String::from("the page"),
        detail: String::new(),
    };
    let begun = api.audit.begin(deed, None).await?;
    let cookie = api.sign_ins.add(identity).await.map_err(Failure::from);
    begun.end(cookie.as_ref().err().map(|failure| failure.code.as_str())).await;
    cookie
}

pub(super) async fn out(Shared(api): Shared<Api>, who: Caller) -> Result<Response, Failure> {
    if let Some(cookie) = &who.cookie {
        api.sign_ins.end(cookie).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, removed(PAGE_COOKIE))]).into_response())
}

fn at<'a>(api: &'a Api, name: &str) -> Option<(&'a str, Arc<dyn SignIn>)> {
    let issuer = api.sign_ins.issuers.iter().find(|issuer| issuer.name == name)?;
    Some((&issuer.url, issuer.page.clone()?))
}

fn place(api: &Api) -> Result<OwnedSemaphorePermit, Unsigned> {
    let busy = "Too many people sign in at once. Try again in a moment.";
    api.sign_ins.place().ok_or_else(|| Unsigned::new(StatusCode::SERVICE_UNAVAILABLE, busy))
}

fn text(location: &str) -> Result<HeaderValue, Unsigned> {
    let wrong = |_| Unsigned::new(StatusCode::INTERNAL_SERVER_ERROR, "The identity provider's address cannot be used.");
    HeaderValue::from_str(location).map_err(wrong)
}

/// A path of this origin; anything else leads to the beginning. Browsers read `\` as `/`, and leave control
/// characters out before they look.
fn own_path(path: &str) -> &str {
    let good = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= MAX_PATH
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if good { path } else { "/" }
}

fn set(name: &str, value: &str, seconds: u64, same_site: &str) -> HeaderValue {
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite={same_site}");
    HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
}

fn removed(name: &str) -> HeaderValue {
    set(name, "", 0, "Strict")
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn sign_in_leads_to_no_other_origin() {
        for path in ["/", "/asks/7m2k?x=1", "/sessions#op-3", "/a//b"] {
            assert_eq!(own_path(path), path);
        }
        for path in [
            "",
            "asks",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "javascript:alert(1)",
            "/x\\..\\y",
            "/ü",
        ] {
            assert_eq!(own_path(path), "/", "{path:?}");
        }
    }
}
