//! The token endpoint: client credentials (RFC 6749 §4.4) and device codes (RFC 8628 §3.4).
//!
//! Who may have which claims is in `state`; who waits for a human is in `device`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Form;
use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::claims::Claims;
use super::code::Shown;
use super::device::Poll;
use super::state::State;

/// The device flow's grant type.
pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Deserialize)]
pub(super) struct Request {
    grant_type: String,
    device_code: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    code: Option<String>,
    code_verifier: Option<String>,
    redirect_uri: Option<String>,
}

pub(super) async fn endpoint(
    Extract(state): Extract<Arc<State>>,
    headers: HeaderMap,
    Form(request): Form<Request>,
) -> Response {
    state.counters.token.fetch_add(1, Ordering::SeqCst);
    match request.grant_type.as_str() {
        "client_credentials" => client_credentials(&state, &headers, request),
        "authorization_code" => authorization_code(&state, &headers, &request),
        DEVICE_GRANT => device_code(&state, &request),
        _ => refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    }
}

fn client_credentials(state: &State, headers: &HeaderMap, request: Request) -> Response {
    let shown = basic(headers).or(request.client_id.zip(request.client_secret));
    match shown.and_then(|(id, secret)| state.client(&id, &secret)) {
        Some(claims) => answer(state, &claims),
        None => refuse(StatusCode::UNAUTHORIZED, "invalid_client"),
    }
}

/// Any client may ask, with any secret: what counts here is that whoever began it ends it.
fn authorization_code(state: &State, headers: &HeaderMap, request: &Request) -> Response {
    let named = basic(headers).map(|(id, _)| id).or_else(|| request.client_id.clone());
    let shown = Shown {
        client_id: named.as_deref().unwrap_or_default(),
        redirect_uri: request.redirect_uri.as_deref().unwrap_or_default(),
        verifier: request.code_verifier.as_deref().unwrap_or_default(),
    };
    match request.code.as_deref().and_then(|code| state.codes().take(code, &shown)) {
        Some(claims) => answer(state, &claims),
        None => refuse(StatusCode::BAD_REQUEST, "invalid_grant"),
    }
}

fn device_code(state: &State, request: &Request) -> Response {
    let poll = state.devices().poll(request.device_code.as_deref().unwrap_or_default());
    let error = match poll {
        Poll::Approved(claims) => return answer(state, &claims),
        Poll::Pending => "authorization_pending",
        Poll::SlowDown => "slow_down",
        Poll::Denied => "access_denied",
        Poll::Expired => "expired_token",
        Poll::Unknown => "invalid_grant",
    };
    refuse(StatusCode::BAD_REQUEST, error)
}

fn answer(state: &State, claims: &Claims) -> Response {
    let body = json!({
        "access_token": state.mint(claims),
        "id_token": state.mint(claims),
        "token_type": "Bearer",
        "expires_in": 3600,
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}
