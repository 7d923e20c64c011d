//! The API through which humans answer: JSON over HTTP, each request with a bearer token of the
//! gate's own issuers. Whoever is not proven sees nothing; whoever is sees the asks that they made or
//! may answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, State as Shared};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Proof};
use portcullis_core::secret::Secret;
use portcullis_core::sessions::{Revocation, Sessions};
use serde::{Deserialize, Serialize};

use crate::ask::{Ask, MAX_REASON, Person, State, Unanswerable, rfc3339};
use crate::desk::{Desk, DeskError};

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 16 << 10;

/// The most asks that one answer lists.
const MAX_LISTED: u32 = 200;

/// How far the clocks of issuers may be ahead.
const LEEWAY: Duration = Duration::from_secs(60);

/// What the API stands on.
#[derive(Clone)]
pub struct Api {
    /// The asks.
    pub desk: Arc<Desk>,
    /// Who verifies tokens.
    pub identity: Arc<dyn IdentitySource>,
    /// The live sessions.
    pub sessions: Arc<Sessions>,
    /// The oldest login that may answer.
    pub max_login_age: Duration,
    /// Groups whose members may end sessions.
    pub operators: Arc<[String]>,
}

impl Api {
    /// The routes.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/v1/asks", get(list))
            .route("/v1/asks/{id}", get(show))
            .route("/v1/asks/{id}/approve", post(approve))
            .route("/v1/asks/{id}/deny", post(deny))
            .route("/v1/asks/{id}/revoke", post(revoke))
            .route("/v1/revocations", post(end_sessions))
            .route("/asks/{id}", get(how_to_answer))
            .fallback(|| async { Failure::new(StatusCode::NOT_FOUND, "no-such-route", "there is nothing here") })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self)
    }
}

/// An ask as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// When it was asked (RFC 3339).
    pub asked_at: String,
    /// When it is over (RFC 3339).
    pub expires_at: String,
    /// The statement as text; what is not UTF-8 in it is U+FFFD. `statement` has its exact bytes.
    pub statement_text: String,
    /// All else.
    #[serde(flatten)]
    pub ask: Ask,
}

impl From<Ask> for Shown {
    fn from(ask: Ask) -> Self {
        Self {
            asked_at: rfc3339(ask.asked),
            expires_at: rfc3339(ask.expires),
            statement_text: String::from_utf8_lossy(&ask.statement).into_owned(),
            ask,
        }
    }
}

/// A list of asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The latest first.
    pub asks: Vec<Shown>,
}

/// Why.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// For the record, and for whoever asked.
    pub reason: String,
}

/// Which sessions are to end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Ends {
    /// One session, by its id.
    Session(String),
    /// All that were opened with one token, by its `jti`.
    Token(String),
    /// All of one identity.
    Identity {
        /// The issuer's URL.
        issuer: String,
        /// The subject.
        subject: String,
    },
}

/// How many sessions were told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// So many.
    pub sessions: usize,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    #[serde(skip)]
    status: StatusCode,
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl Failure {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<DeskError> for Failure {
    fn from(why: DeskError) -> Self {
        let (status, code) = match &why {
            DeskError::Unknown(_) => (StatusCode::NOT_FOUND, "no-such-ask"),
            DeskError::Unanswerable(Unanswerable::Reason) => (StatusCode::UNPROCESSABLE_ENTITY, "reason-missing"),
            DeskError::Unanswerable(why @ (Unanswerable::Over(_) | Unanswerable::Expired | Unanswerable::Twice)) => {
                (StatusCode::CONFLICT, why.code())
            }
            DeskError::Unanswerable(why) => (StatusCode::FORBIDDEN, why.code()),
            DeskError::Store(why) => {
                tracing::error!(error = %why, "the control plane's store failed");
                return Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store-failed",
                    "nothing can be stored now; try again",
                );
            }
        };
        Self::new(status, code, why.to_string())
    }
}

/// Whoever makes the request, proven.
struct Proven(Identity);

impl FromRequestParts<Api> for Proven {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let refused = |code, message: &str| Failure::new(StatusCode::UNAUTHORIZED, code, message);
        let mut told = parts.headers.get_all(header::AUTHORIZATION).iter();
        let told = told.next().filter(|_| told.next().is_none()).and_then(|value| value.to_str().ok());
        let token =
            told.and_then(|told| told.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else { return Err(refused("no-token", "show a bearer token")) };
        let proof = Proof::Bearer(Secret::new(token.trim().to_owned()));
        match api.identity.identify(&proof).await {
            Ok(identity) => Ok(Self(identity)),
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
}

impl Proven {
    fn person(&self) -> Person {
        Person::from(&self.0)
    }

    /// An answer wants a human who has just shown who they are.
    fn answers(&self, api: &Api) -> Result<Person, Failure> {
        let now = SystemTime::now();
        let fresh = self.0.authenticated.is_some_and(|then| match now.duration_since(then) {
            Ok(age) => age <= api.max_login_age,
            Err(ahead) => ahead.duration() <= LEEWAY,
        });
        if fresh { Ok(self.person()) } else { Err(DeskError::from(Unanswerable::StaleLogin).into()) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    state: Option<State>,
}

async fn list(
    Shared(api): Shared<Api>,
    who: Proven,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Listed>, Failure> {
    let Query(filter) = filter.map_err(|why| Failure::new(why.status(), "bad-query", why.body_text()))?;
    let states = filter.state.map_or_else(|| State::ALL.to_vec(), |state| vec![state]);
    let asks = api.desk.list(&who.person(), &states, MAX_LISTED).await.map_err(DeskError::from)?;
    Ok(Json(Listed { asks: asks.into_iter().map(Shown::from).collect() }))
}

/// What the link that waiting clients are shown leads to: it says nothing of any ask, for nobody has
/// shown who they are yet.
async fn how_to_answer(Path(id): Path<String>) -> String {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    format!(
        "Somebody waits for a human's answer. With a token of your identity provider in PORTCULLIS_TOKEN and\n\
         this address in PORTCULLIS_CONTROL:\n\n    portcullis show {id}\n    \
         portcullis approve {id} --reason '...'\n    portcullis deny {id} --reason '...'\n"
    )
}

async fn show(Shared(api): Shared<Api>, who: Proven, Path(id): Path<String>) -> Result<Json<Shown>, Failure> {
    Ok(Json(api.desk.show(&who.person(), &id).await?.into()))
}

type Body = Result<Json<Reason>, JsonRejection>;

fn reason(body: Body) -> Result<String, Failure> {
    let Json(Reason { reason }) = body.map_err(|why| Failure::new(why.status(), "bad-body", why.body_text()))?;
    Ok(reason)
}

async fn approve(
    Shared(api): Shared<Api>,
    who: Proven,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Failure> {
    answer(&api, &who, &id, true, body).await
}

async fn deny(
    Shared(api): Shared<Api>,
    who: Proven,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Failure> {
    answer(&api, &who, &id, false, body).await
}

async fn answer(api: &Api, who: &Proven, id: &str, yes: bool, body: Body) -> Result<Json<Shown>, Failure> {
    let by = who.answers(api)?;
    let ask = api.desk.answer(id, by, yes, reason(body)?).await?;
    tracing::info!(ask = id, by = ask.answers.last().map(|answer| answer.by.name()), yes, "an ask was answered");
    Ok(Json(ask.into()))
}

async fn revoke(
    Shared(api): Shared<Api>,
    who: Proven,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Failure> {
    let reason = reason(body)?;
    if reason.trim().is_empty() || reason.len() > MAX_REASON {
        return Err(DeskError::from(Unanswerable::Reason).into());
    }
    let ask = api.desk.revoke(&id, who.person(), reason).await?;
    tracing::info!(ask = id, by = who.0.name(), "an ask was revoked");
    Ok(Json(ask.into()))
}

async fn end_sessions(
    Shared(api): Shared<Api>,
    who: Proven,
    body: Result<Json<Ends>, JsonRejection>,
) -> Result<Json<Ended>, Failure> {
    if !api.operators.iter().any(|group| who.0.groups.contains(group)) {
        let message = "only a member of a group of `control.operators` may end sessions";
        return Err(Failure::new(StatusCode::FORBIDDEN, "not-operator", message));
    }
    let Json(ends) = body.map_err(|why| Failure::new(why.status(), "bad-body", why.body_text()))?;
    let what = match ends {
        Ends::Session(id) => Revocation::Session(id),
        Ends::Token(id) => Revocation::Token(id),
        Ends::Identity { issuer, subject } => Revocation::Identity { issuer, subject },
    };
    let sessions = api.sessions.revoke(&what);
    if let Revocation::Identity { issuer, subject } = &what {
        api.desk.revoke_all(issuer, subject, &who.person()).await.map_err(DeskError::from)?;
    }
    tracing::info!(by = who.0.name(), what = ?what, sessions, "sessions were revoked");
    Ok(Json(Ended { sessions }))
}
