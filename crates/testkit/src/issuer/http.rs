//! The issuer's endpoints: discovery, keys, the device's request and the page where a human
//! approves it. Faults are played here.
//!
//! Tokens are handed out in `token`.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use axum::extract::{Query, RawQuery, Request, State as Extract};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::claims::Claims;
use super::device;
use super::state::{Fault, State};
use super::{code, token};

/// More than any reader of discovery or keys should take.
const HUGE: usize = 1024 * 1024 + 1;

/// Serves until `stopped` is told, or its sender is gone.
pub(super) async fn serve(listener: std::net::TcpListener, state: Arc<State>, stopped: oneshot::Receiver<()>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let door = Door { listener, state: Arc::clone(&state) };
    let served = axum::serve(door, router(state));
    tokio::select! {
        _ = served.into_future() => {}
        _ = stopped => {}
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/keys", get(keys))
        .route("/token", post(token::endpoint))
        .route("/device_authorization", post(device_authorization))
        .route("/authorize", get(authorize_page).post(authorize_answer))
        .route("/device", get(device_page).post(device_answer))
        .layer(from_fn_with_state(Arc::clone(&state), outage))
        .with_state(state)
}

/// The listener, which turns clients away during an outage.
struct Door {
    listener: TcpListener,
    state: Arc<State>,
}

impl axum::serve::Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = axum::serve::Listener::accept(&mut self.listener).await;
            if self.state.fault() != Fault::Down {
                return accepted;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Connections that were open before an outage get no good answer either.
async fn outage(Extract(state): Extract<Arc<State>>, request: Request, next: Next) -> Response {
    if state.fault() == Fault::Down {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::CONNECTION, "close")]).into_response();
    }
    next.run(request).await
}

async fn discovery(Extract(state): Extract<Arc<State>>) -> Response {
    state.counters.discovery.fetch_add(1, Ordering::SeqCst);
    let fault = state.fault();
    let mut document = document(&state.url);
    let mut change = |member: &str, value: Value| document.as_object_mut().map(|all| all.insert(member.into(), value));
    match fault {
        Fault::Failing => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::Slow(wait) => tokio::time::sleep(wait).await,
        Fault::DiscoveryIssuer(issuer) => drop(change("issuer", json!(issuer))),
        Fault::KeysAt(url) => drop(change("jwks_uri", json!(url))),
        Fault::Algorithms(list) => drop(change("id_token_signing_alg_values_supported", json!(list))),
        Fault::HugeDiscovery => drop(change("padding", json!("x".repeat(HUGE)))),
        Fault::None
        | Fault::Down
        | Fault::HugeKeys
        | Fault::BrokenKeys
        | Fault::NoKeys
        | Fault::SymmetricKey(_)
        | Fault::RedirectKeys(_) => {}
    }
    cached(&state, Json(document))
}

fn document(url: &str) -> Value {
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}/keys"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device_authorization"),
        "authorization_endpoint": format!("{url}/authorize"),
        "grant_types_supported": ["authorization_code", "client_credentials", token::DEVICE_GRANT],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
    })
}

async fn keys(Extract(state): Extract<Arc<State>>) -> Response {
    state.counters.keys.fetch_add(1, Ordering::SeqCst);
    let published = json!({ "keys": state.keys().published() });
    let body = match state.fault() {
        Fault::Failing => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::RedirectKeys(to) => return Redirect::temporary(&to).into_response(),
        Fault::BrokenKeys => return cached(&state, "{\"keys\": [ this is no JSON"),
        Fault::HugeKeys => json!({ "keys": published.get("keys"), "padding": "x".repeat(HUGE) }),
        Fault::NoKeys => json!({ "keys": [] }),
        Fault::SymmetricKey(kid) => {
            json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0", "kid": kid, "alg": "HS256" }] })
        }
        Fault::Slow(wait) => {
            tokio::time::sleep(wait).await;
            published
        }
        Fault::None
        | Fault::Down
        | Fault::DiscoveryIssuer(_)
        | Fault::KeysAt(_)
        | Fault::Algorithms(_)
        | Fault::HugeDiscovery => published,
    };
    cached(&state, Json(body))
}

fn cached(state: &State, body: impl IntoResponse) -> Response {
    match state.caching() {
        Some(value) => ([(header::CACHE_CONTROL, value)], body).into_response(),
        None => body.into_response(),
    }
}

async fn device_authorization(Extract(state): Extract<Arc<State>>) -> Response {
    state.counters.device.fetch_add(1, Ordering::SeqCst);
    let Some(opened) = state.devices().open() else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    let page = format!("{}/device", state.url);
    Json(json!({
        "verification_uri_complete": format!("{page}?user_code={}", opened.user_code),
        "verification_uri": page,
        "device_code": opened.device_code,
        "user_code": opened.user_code,
        "expires_in": device::LIFETIME.as_secs(),
        "interval": opened.interval.as_secs(),
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    user_code: String,
}

async fn device_page(Extract(state): Extract<Arc<State>>, Query(asked): Query<Asked>) -> Html<String> {
    let mut page = format!(
        "<!doctype html><title>Mini issuer</title><h1>A device asks to log in</h1><form method=post>\
         <p>Code <input name=user_code value=\"{}\">",
        escaped(&asked.user_code)
    );
    for person in state.people() {
        let name = escaped(&person.name);
        // Writing to a string does not fail.
        let _ = write!(page, "<p><button name=person value=\"{name}\">Log in as {name}</button>");
    }
    page.push_str("<p><button name=person value=\"\">Deny</button></form>");
    Html(page)
}

#[derive(Deserialize)]
struct Answered {
    user_code: String,
    #[serde(default)]
    person: String,
}

async fn device_answer(Extract(state): Extract<Arc<State>>, Form(answered): Form<Answered>) -> Response {
    let found = if answered.person.is_empty() {
        state.devices().deny(&answered.user_code)
    } else {
        let person = state.people().into_iter().find(|person| person.name == answered.person);
        person.is_some_and(|person| state.devices().approve(&answered.user_code, person.claims))
    };
    if found {
        Html("<!doctype html><title>Mini issuer</title><p>Done. You can close this page.").into_response()
    } else {
        (StatusCode::BAD_REQUEST, "no device waits for this code, or nobody has this name").into_response()
    }
}

async fn authorize_page(
    Extract(state): Extract<Arc<State>>,
    RawQuery(query): RawQuery,
    Query(_): Query<code::Asked>,
) -> Html<String> {
    let mut page = format!(
        "<!doctype html><title>Mini issuer</title><h1>An application asks who you are</h1><form method=post>\
         <input type=hidden name=asked value=\"{}\">",
        escaped(&query.unwrap_or_default())
    );
    for person in state.people() {
        let name = escaped(&person.name);
        // Writing to a string does not fail.
        let _ = write!(page, "<p><button name=person value=\"{name}\">Log in as {name}</button>");
    }
    page.push_str("</form>");
    Html(page)
}

#[derive(Deserialize)]
struct Agreed {
    asked: String,
    person: String,
}

async fn authorize_answer(Extract(state): Extract<Arc<State>>, Form(agreed): Form<Agreed>) -> Response {
    let person = state.people().into_iter().find(|person| person.name == agreed.person);
    let asked = serde_urlencoded::from_str(&agreed.asked).ok();
    let to = person.zip(asked).and_then(|(person, asked)| agreed_to(&state, asked, person.claims));
    match to {
        Some(to) => Redirect::to(&to).into_response(),
        None => (StatusCode::BAD_REQUEST, "nobody has this name, or the application asks wrongly").into_response(),
    }
}

/// Where the browser goes back to, with a code for whoever agreed.
pub(super) fn agreed_to(state: &State, asked: code::Asked, claims: Claims) -> Option<String> {
    let (back, said) = (asked.redirect_uri.clone(), asked.state.clone());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let code = state.codes().open(asked, claims.set("auth_time", now))?;
    let answer = serde_urlencoded::to_string([("code", &code), ("state", &said), ("iss", &state.url)]).ok()?;
    Some(format!("{back}?{answer}"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
