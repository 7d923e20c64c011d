//! Every route of the API in one table, with what it needs. The router is made of it, and so is the
//! test that walks all routes.
//!
//! A route that answers well without having asked whether it may is a mistake of ours, and answers
//! nothing: [`guard`] looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Shared};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use portcullis_core::vocabulary::Action;
use utoipa::ToSchema;

use super::document::{self, Answers, Says, Shape};
use super::{Api, Failure, asks, audit, live, me, policies, recording, sessions, sign_in, targets, tickets, tunnel};
use crate::index::Session;
use crate::policies::{Asked as Question, Bundle, Explained};
use crate::{page, vocabulary as may};

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 16 << 10;

/// The longest bundle of policies, in bytes of JSON.
const MAX_BUNDLE: usize = 8 << 20;

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whoever reaches the address may.
    Nothing,
    /// Somebody who is proven; what they see depends on who they are.
    Identity,
    /// Somebody whom the policies permit this, on the target that it is about.
    Permit(Action),
}

/// One route.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with names in braces.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// What it takes and gives.
    pub(super) says: Says,
    does: MethodRouter<Api>,
}

/// The table.
pub fn table() -> Vec<Route> {
    let read = |path, needs, says, does| Route { method: Method::GET, path, needs, says, does };
    let change = |path, needs, says, does| Route { method: Method::POST, path, needs, says, does };
    let redirect = Says::new(Answers::Redirect);
    vec![
        read("/openapi.json", Needs::Nothing, Says::new(Answers::File), get(document::show)),
        read("/v1/issuers", Needs::Nothing, json::<sign_in::Issuers>(), get(sign_in::issuers)),
        read("/login", Needs::Nothing, redirect.query::<sign_in::Wanted>(), get(sign_in::begin)),
        read("/login/callback", Needs::Nothing, redirect.query::<sign_in::CameBack>(), get(sign_in::finish)),
        change("/logout", Needs::Identity, Says::new(Answers::Nothing), post(sign_in::out)),
        read("/v1/me", Needs::Identity, json::<me::Me>(), get(me::me)),
        read("/v1/asks", Needs::Identity, json::<asks::Listed>().query::<asks::Filter>(), get(asks::list)),
        read("/v1/asks/live", Needs::Identity, events::<asks::Shown>(), get(live::asks)),
        read("/v1/asks/{id}", Needs::Identity, json::<asks::Shown>(), get(asks::show)),
        change("/v1/asks/{id}/approve", Needs::Identity, ANSWERED, post(asks::approve)),
        change("/v1/asks/{id}/deny", Needs::Identity, ANSWERED, post(asks::deny)),
        change("/v1/asks/{id}/revoke", Needs::Identity, ANSWERED, post(asks::revoke)),
        read(
            "/v1/sessions",
            Needs::Permit(may::SESSIONS_READ),
            json::<sessions::SessionList>().query::<sessions::Wanted>(),
            get(sessions::list),
        ),
        read("/v1/sessions/live", Needs::Permit(may::SESSIONS_READ), events::<Session>(), get(live::sessions)),
        read("/v1/sessions/{id}", Needs::Permit(may::SESSIONS_READ), json::<Session>(), get(sessions::show)),
        read(
            "/v1/sessions/{id}/events",
            Needs::Permit(may::RECORDINGS_READ),
            json::<sessions::EventList>().query::<sessions::Range>(),
            get(sessions::events),
        ),
        read(
            "/v1/sessions/{id}/events/live",
            Needs::Permit(may::RECORDINGS_READ),
            events::<sessions::ShownEvent>().query::<sessions::Range>(),
            get(live::events),
        ),
        read(
            "/v1/sessions/{id}/recording",
            Needs::Permit(may::RECORDINGS_READ),
            Says::new(Answers::File).query::<recording::Wanted>(),
            get(recording::take),
        ),
        change(
            "/v1/sessions/{id}/terminate",
            Needs::Permit(may::SESSIONS_END),
            json::<Session>().body::<asks::Reason>(),
            post(sessions::terminate),
        ),
        read(
            "/v1/operations",
            Needs::Permit(may::RECORDINGS_READ),
            json::<sessions::OperationList>().query::<sessions::Wanted>(),
            get(sessions::operations),
        ),
        read("/v1/policies", Needs::Permit(may::POLICIES_READ), json::<Bundle>(), get(policies::show)),
        change(
            "/v1/policies/validate",
            Needs::Permit(may::POLICIES_TRY),
            json::<policies::Validation>().body::<policies::Draft>(),
            large(post(policies::validate)),
        ),
        change(
            "/v1/policies/explain",
            Needs::Permit(may::POLICIES_TRY),
            json::<Explained>().body::<Question>(),
            post(policies::explain),
        ),
        change(
            "/v1/policies/replay",
            Needs::Permit(may::POLICIES_TRY),
            json::<policies::ReplayResult>().body::<policies::ReplayAsked>(),
            large(post(policies::replay)),
        ),
        read("/v1/targets", Needs::Permit(may::TARGETS_READ), json::<targets::TargetList>(), get(targets::list)),
        read("/v1/health", Needs::Permit(may::HEALTH_READ), json::<targets::GateHealth>(), get(targets::health)),
        read(
            "/v1/audit",
            Needs::Permit(may::AUDIT_READ),
            json::<audit::AuditList>().query::<audit::Page>(),
            get(audit::list),
        ),
        read("/v1/tunnel/{target}", Needs::Identity, Says::new(Answers::Upgrade), get(tunnel::open)),
        change(
            "/v1/tickets",
            Needs::Permit(may::TICKETS_MAKE),
            json::<tickets::Ticket>().body::<tickets::TicketFor>(),
            post(tickets::make),
        ),
        change(
            "/v1/revocations",
            Needs::Permit(may::SESSIONS_END),
            json::<sessions::Ended>().body::<sessions::Ends>(),
            post(sessions::end),
        ),
    ]
}

/// What the answer to an ask takes and gives.
const ANSWERED: Says = json::<asks::Shown>().body::<asks::Reason>();

const fn json<T: ToSchema>() -> Says {
    Says::new(Answers::Json(Shape::of::<T>()))
}

const fn events<T: ToSchema>() -> Says {
    Says::new(Answers::Events(Shape::of::<T>()))
}

/// A route to which whole bundles of policies are sent.
fn large(route: MethodRouter<Api>) -> MethodRouter<Api> {
    route.layer(DefaultBodyLimit::max(MAX_BUNDLE))
}

/// Makes the router.
pub(super) fn router(api: Api) -> Router {
    let mut router = page::routes();
    for Route { path, needs, does, .. } in table() {
        router = router.route(path, does.route_layer(from_fn_with_state(needs, guard)));
    }
    router
        .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "no-such-route", "there is nothing here") })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), harmless))
        .with_state(api)
}

/// What one request needs, and whether it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    needs: Needs,
    done: Arc<AtomicBool>,
}

impl Asked {
    /// The action that has to be permitted.
    pub(super) const fn action(&self) -> Option<Action> {
        match self.needs {
            Needs::Permit(action) => Some(action),
            Needs::Nothing | Needs::Identity => None,
        }
    }

    /// Somebody is proven.
    pub(super) fn proven(&self) {
        if self.needs == Needs::Identity {
            self.permitted();
        }
    }

    /// The policies permit it.
    pub(super) fn permitted(&self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

/// Lets no answer pass that nobody was permitted.
async fn guard(Shared(needs): Shared<Needs>, mut request: Request, next: Next) -> Response {
    let asked = Asked { needs, done: Arc::new(AtomicBool::new(needs == Needs::Nothing)) };
    request.extensions_mut().insert(asked.clone());
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let well = response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if well && !asked.done.load(Ordering::Relaxed) {
        tracing::error!(%path, "a route answers without asking whether it may");
        let message = "this gate has a mistake: the route did not ask whether you may";
        return Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "unguarded", message).into_response();
    }
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// What every answer says to browsers, unless the page's own files say more: run nothing, be framed by nobody,
/// be read by no other origin.
const HARMLESS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Once seen over TLS, never without it again for so long (RFC 6797). Loopback is shared with whatever else
/// a developer runs there, so it is left alone.
const ALWAYS_TLS: &str = "max-age=31536000";

async fn harmless(Shared(api): Shared<Api>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HARMLESS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if api.sign_ins.is_always_tls() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ALWAYS_TLS));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn route_that_did_not_ask_answers_nothing() {
        for (needs, status) in [
            (Needs::Nothing, StatusCode::OK),
            (Needs::Identity, StatusCode::INTERNAL_SERVER_ERROR),
            (Needs::Permit(may::SESSIONS_END), StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let router: Router = Router::new()
                .route("/", get(|| async { "everything" }))
                .route("/tunnel", get(|| async { StatusCode::SWITCHING_PROTOCOLS }))
                .route_layer(from_fn_with_state(needs, guard));
            let answer = router.clone().oneshot(Request::new(Body::empty())).await.unwrap();
            assert_eq!(answer.status(), status, "{needs:?}");
            let upgrade = Request::get("/tunnel").body(Body::empty()).unwrap();
            let switched = router.oneshot(upgrade).await.unwrap().status() == StatusCode::SWITCHING_PROTOCOLS;
            assert_eq!(switched, status == StatusCode::OK, "{needs:?}");
        }
    }
}
