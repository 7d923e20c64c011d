//! Sessions: which there were, what was done in them, as it happens too, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use portcullis_core::sessions::Revocation;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::asks::{Body, reason};
use super::audit::Doing;
use super::caller::Caller;
use super::{Api, Failure};
use crate::archive::{Archive, ArchiveError, Recorded};
use crate::ask::{MAX_REASON, rfc3339};
pub(super) use crate::index::Filter;
use crate::index::{OperationFilter, OperationRow, Session};
use crate::vocabulary::{PLANE, SESSIONS_END};

/// Entries of a page where a request says nothing else.
const PAGE: u32 = 50;

/// The most events of one answer, and their most bytes, about.
const MAX_EVENTS: usize = 1_000;
const MAX_BYTES: usize = 4 << 20;

/// Which sessions or operations, as a request says it.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    identity: Option<String>,
    target: Option<String>,
    protocol: Option<String>,
    decision: Option<String>,
    #[param(inline)]
    state: Option<Going>,
    session: Option<String>,
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<jiff::Timestamp>,
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<jiff::Timestamp>,
    q: Option<String>,
    before: Option<u64>,
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Going {
    Live,
    Ended,
}

type Asked = Result<Query<Wanted>, QueryRejection>;

/// Some sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionList {
    /// The latest first.
    pub sessions: Vec<Session>,
    /// What to give back as `before` for the next page.
    pub next: Option<u64>,
}

/// Some operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OperationList {
    /// The latest first.
    pub operations: Vec<OperationRow>,
    /// What to give back as `before` for the next page.
    pub next: Option<u64>,
}

/// One event of a session.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShownEvent {
    /// Its number within the session.
    pub seq: u64,
    /// When (RFC 3339).
    pub at: String,
    /// The event, in the form of docs/recording.md.
    #[schema(value_type = Object)]
    pub event: Box<RawValue>,
}

impl ShownEvent {
    /// An event as it is stored; what is no JSON is null.
    pub(super) fn new(recorded: Recorded) -> Self {
        let event = RawValue::from_string(recorded.json).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self { seq: recorded.seq, at: rfc3339(recorded.at), event }
    }
}

/// Some events of a session.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EventList {
    /// In their order.
    pub events: Vec<ShownEvent>,
    /// What to give back as `after` for the next; none where there is no more for now.
    pub next: Option<u64>,
    /// The session is over, and this is its end.
    pub ended: bool,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    #[serde(default)]
    pub(super) after: u64,
    limit: Option<usize>,
}

pub(super) fn micros(time: Option<jiff::Timestamp>) -> Option<u64> {
    time.map(|time| u64::try_from(time.as_microsecond()).unwrap_or_default())
}

/// What is wanted, of the targets that the caller may see.
async fn filter(api: &Api, who: &Caller, asked: Asked) -> Result<(Filter, Option<String>), Failure> {
    let Query(wanted) = asked.map_err(|why| Failure::new(why.status(), "bad-query", why.body_text()))?;
    let targets = match wanted.target {
        Some(target) => {
            who.permitted(api, &target)?;
            vec![target]
        }
        None => who.permitted_among(api, api.index.targets().await?)?,
    };
    let filter = Filter {
        targets,
        identity: wanted.identity,
        protocol: wanted.protocol,
        decision: wanted.decision,
        live: wanted.state.map(|state| state == Going::Live),
        from: micros(wanted.from),
        to: micros(wanted.to),
        q: wanted.q.filter(|text| !text.trim().is_empty()),
        before: wanted.before,
        limit: wanted.limit.unwrap_or(PAGE),
    };
    Ok((filter, wanted.session))
}

pub(super) async fn list(Shared(api): Shared<Api>, who: Caller, asked: Asked) -> Result<Json<SessionList>, Failure> {
    let (filter, _) = filter(&api, &who, asked).await?;
    let page = api.index.sessions(&filter).await?;
    Ok(Json(SessionList { sessions: page.entries, next: page.next }))
}

pub(super) async fn operations(
    Shared(api): Shared<Api>,
    who: Caller,
    asked: Asked,
) -> Result<Json<OperationList>, Failure> {
    let (sessions, session) = filter(&api, &who, asked).await?;
    let session = match session {
        Some(id) => Some(found(&api, &who, &id).await?.number),
        None => None,
    };
    let page = api.index.operations(&OperationFilter { sessions, session }).await?;
    Ok(Json(OperationList { operations: page.entries, next: page.next }))
}

/// A session that the caller may do this with. What they may not is as if it were not there.
pub(super) async fn found(api: &Api, who: &Caller, id: &str) -> Result<Session, Failure> {
    let unknown =
        || Failure::new(StatusCode::NOT_FOUND, "no-such-session", "there is no such session that you may see");
    let session = api.index.session(id).await?.ok_or_else(unknown)?;
    who.permitted(api, &session.target).map_err(|_| unknown())?;
    Ok(session)
}

pub(super) async fn show(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
) -> Result<Json<Session>, Failure> {
    Ok(Json(found(&api, &who, &id).await?))
}

pub(super) async fn events(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
    range: Result<Query<Range>, QueryRejection>,
) -> Result<Json<EventList>, Failure> {
    let Query(range) = range.map_err(|why| Failure::new(why.status(), "bad-query", why.body_text()))?;
    let session = found(&api, &who, &id).await?;
    let most = range.limit.unwrap_or(MAX_EVENTS).clamp(1, MAX_EVENTS);
    let (archive, number) = (Arc::clone(&api.archive), session.number);
    let reading = async {
        let read = tokio::task::spawn_blocking(move || read(&*archive, number, range.after, most)).await;
        let read = read.map_err(|why| unreadable(&ArchiveError(why.to_string())))?;
        read.map_err(|why| unreadable(&why))
    };
    Ok(Json(who.reads(&api, &session, range.after == 0, reading).await?))
}

pub(super) fn unreadable(why: &ArchiveError) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", format!("the recording cannot be read: {why}"))
}

/// Reads some events behind one.
fn read(archive: &dyn Archive, number: u64, after: u64, most: usize) -> Result<EventList, ArchiveError> {
    let mut events = archive.open(number)?;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    while found.len() < most && bytes < MAX_BYTES {
        let Some(recorded) = events.next().transpose()? else {
            return Ok(EventList { events: found, next: None, ended: events.is_complete() });
        };
        if recorded.seq > after {
            bytes = bytes.saturating_add(recorded.json.len());
            found.push(ShownEvent::new(recorded));
        }
    }
    let next = found.last().map(|last| last.seq);
    Ok(EventList { events: found, next, ended: false })
}

pub(super) async fn terminate(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Session>, Failure> {
    let session = found(&api, &who, &id).await?;
    let why = reason(body)?;
    if why.trim().is_empty() || why.len() > MAX_REASON {
        return Err(Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "reason-missing", "give a reason"));
    }
    let doing = Doing {
        action: SESSIONS_END,
        target: &session.target,
        what: format!("session {id}"),
        detail: why.trim().to_owned(),
        by: who.warrant(&api, SESSIONS_END, &session.target),
    };
    let ending = async {
        match api.sessions.revoke(&Revocation::Session(id.clone())) {
            0 => Err(Failure::new(StatusCode::CONFLICT, "session-over", "the session is over already")),
            _ => Ok(()),
        }
    };
    who.does(&api, doing, ending).await?;
    tracing::info!(by = who.identity.name(), session = %session.id, reason = %why.trim(), "a session was ended");
    Ok(Json(session))
}

/// Which sessions are to end.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ended {
    /// So many.
    pub sessions: usize,
}

pub(super) async fn end(
    Shared(api): Shared<Api>,
    who: Caller,
    body: Result<Json<Ends>, JsonRejection>,
) -> Result<Json<Ended>, Failure> {
    let by = who.permitted(&api, PLANE)?;
    let Json(ends) = body.map_err(|why| Failure::new(why.status(), "bad-body", why.body_text()))?;
    let (what, named) = match ends {
        Ends::Session(id) => (format!("session {id}"), Revocation::Session(id)),
        Ends::Token(id) => (format!("token {id}"), Revocation::Token(id)),
        Ends::Identity { issuer, subject } => {
            (format!("identity {subject} at {issuer}"), Revocation::Identity { issuer, subject })
        }
    };
    let doing = Doing { action: SESSIONS_END, target: PLANE, what, detail: String::from("revoke"), by };
    let sessions = who.does(&api, doing, revoke(&api, &who, &named)).await?;
    tracing::info!(by = who.identity.name(), what = ?named, sessions, "sessions were revoked");
    Ok(Json(Ended { sessions }))
}

async fn revoke(api: &Api, who: &Caller, what: &Revocation) -> Result<usize, Failure> {
    let sessions = api.sessions.revoke(what);
    api.tickets.revoke(what);
    if let Revocation::Identity { issuer, subject } = what {
        api.desk.revoke_all(issuer, subject, &who.person()).await?;
        api.sign_ins.end_all_of(issuer, subject).await?;
    }
    Ok(sessions)
}
