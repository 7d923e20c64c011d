//! `GET /v1/tunnel/{target}`: the connection becomes the client's own to a target (RFC 9110 §7.8).
//!
//! Who it is is verified here, so that a stranger gets an answer in HTTP, and once more by the target's
//! session, whose policies alone say what it may there.

use axum::extract::{Path, Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use portcullis_core::identity::Proof;
use portcullis_core::secret::Secret;

use super::caller::Caller;
use super::{Api, Failure};
use crate::http::Peer;
use crate::tunnel::{PROTOCOL, Shut, Tunnel};

pub(super) async fn open(
    Shared(api): Shared<Api>,
    _who: Caller,
    Path(target): Path<String>,
    mut request: Request,
) -> Result<Response, Failure> {
    let unknown = || Failure::new(StatusCode::NOT_FOUND, "no-such-target", "there is no such target that you may see");
    if !api.doors.leads_to(&target) {
        return Err(unknown());
    }
    if !wants_tunnel(request.headers()) {
        return Ok(upgrade_required());
    }
    // A page's cookie opens no tunnel.
    let proof = bearer(request.headers())
        .ok_or_else(|| Failure::new(StatusCode::UNAUTHORIZED, "no-token", "a tunnel wants a bearer token"))?;
    let missing = || Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "no-peer", "it is not known where you come from");
    let peer = request.extensions().get::<Peer>().copied().ok_or_else(missing)?;
    let full = || unavailable("too-many-tunnels", "too many connections are open; try again later");
    let place = api.tunnels.take().ok_or_else(full)?;
    let door = api.doors.knock(&target, peer.socket()).map_err(|why| match why {
        Shut::Unknown => unknown(),
        Shut::Full => full(),
        Shut::Stopping => unavailable("stopping", "the gate is stopping; try again shortly"),
    })?;
    let upgrade = hyper::upgrade::on(&mut request);
    let coming = async move {
        let stream = upgrade.await.map_err(std::io::Error::other)?;
        Ok(Box::new(Tunnel::new(TokioIo::new(stream), place)) as _)
    };
    door.enter(Box::pin(coming), proof);
    Ok(named(StatusCode::SWITCHING_PROTOCOLS.into_response()))
}

fn unavailable(code: &str, message: &str) -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
}

/// Whether the headers ask for this change of protocol, and for the connection to be changed.
fn wants_tunnel(headers: &HeaderMap) -> bool {
    let says = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    says(header::CONNECTION, "upgrade") && says(header::UPGRADE, PROTOCOL)
}

fn upgrade_required() -> Response {
    let message = format!("this is a tunnel: ask for it with `Connection: upgrade` and `Upgrade: {PROTOCOL}`");
    let failure = Failure::new(StatusCode::UPGRADE_REQUIRED, "upgrade-required", message);
    // RFC 9110 §15.5.22 wants the protocol named.
    named(failure.into_response())
}

fn named(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    response
}

/// The token that a request shows, to be shown on.
fn bearer(headers: &HeaderMap) -> Option<Proof> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Proof::Bearer(Secret::new(token.trim().to_owned())))
}
