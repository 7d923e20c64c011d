//! Policies: what they are, and what others would decide. Nothing here changes what decides.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::audit::Doing;
use super::caller::Caller;
use super::sessions::{Filter, micros};
use super::{Api, Failure};
use crate::archive::Archive;
use crate::index::Session;
use crate::policies::{Asked, Bundle, Changed, Explained, PolicyFile, Problem, Replayed, Tried};
use crate::vocabulary::{PLANE, POLICIES_TRY};

/// Operations that one request decides anew, and changes that it lists.
const MAX_OPERATIONS: u64 = 200_000;
const MAX_CHANGES: usize = 1_000;

/// Sessions that are listed together.
const PAGE: u32 = 200;

type Body<T> = Result<Json<T>, JsonRejection>;

fn read<T>(body: Body<T>) -> Result<T, Failure> {
    let Json(body) = body.map_err(|why| Failure::new(why.status(), "bad-body", why.body_text()))?;
    Ok(body)
}

/// Policies to be looked at.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Their files.
    pub files: Vec<PolicyFile>,
}

/// Whether policies could be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Validation {
    /// They could.
    pub ok: bool,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
}

/// Policies and the sessions to decide anew.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayAsked {
    /// The policies' files.
    pub files: Vec<PolicyFile>,
    /// Sessions that were opened at this time or later.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<jiff::Timestamp>,
    /// Sessions that were opened before.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<jiff::Timestamp>,
    /// Sessions on this target.
    #[serde(default)]
    pub target: Option<String>,
}

/// What would be decided otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReplayResult {
    /// How many sessions were looked at.
    pub sessions: u64,
    /// How many operations.
    pub operations: u64,
    /// What would be decided otherwise, the latest session first.
    pub changed: Vec<Changed>,
    /// There is more that was not looked at, or is not listed.
    pub truncated: bool,
}

pub(super) async fn show(Shared(api): Shared<Api>, who: Caller) -> Result<Json<Bundle>, Failure> {
    who.permitted(&api, PLANE)?;
    Ok(Json(api.policies.bundle()))
}

pub(super) async fn validate(
    Shared(api): Shared<Api>,
    who: Caller,
    body: Body<Draft>,
) -> Result<Json<Validation>, Failure> {
    who.permitted(&api, PLANE)?;
    let Draft { files } = read(body)?;
    let problems = off_thread(move || api.policies.try_out(files).err().unwrap_or_default()).await?;
    Ok(Json(Validation { ok: problems.is_empty(), problems }))
}

pub(super) async fn explain(
    Shared(api): Shared<Api>,
    who: Caller,
    body: Body<Asked>,
) -> Result<Json<Explained>, Failure> {
    who.permitted(&api, PLANE)?;
    let asked = read(body)?;
    let explained = off_thread(move || api.policies.explain(asked)).await?;
    explained.map(Json).map_err(|why| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-question", why))
}

pub(super) async fn replay(
    Shared(api): Shared<Api>,
    who: Caller,
    body: Body<ReplayAsked>,
) -> Result<Json<ReplayResult>, Failure> {
    let by = who.permitted(&api, PLANE)?;
    let ReplayAsked { files, from, to, target } = read(body)?;
    let policies = Arc::clone(&api.policies);
    let tried = off_thread(move || policies.try_out(files)).await?;
    let tried: Arc<dyn Tried> = tried.map_err(|problems| refused(&problems))?.into();
    let targets = match target {
        Some(target) => vec![target],
        None => api.index.targets().await?,
    };
    // What one may not look at is not shown by what would become of it.
    let targets = targets.into_iter().filter(|target| who.may_read(&api, target)).collect();
    let filter = Filter { targets, from: micros(from), to: micros(to), limit: PAGE, ..Filter::default() };
    let doing = Doing {
        action: POLICIES_TRY,
        target: PLANE,
        what: String::from("recorded sessions"),
        detail: String::from("replay"),
        by,
    };
    Ok(Json(who.does(&api, doing, decide_anew(&api, tried, filter)).await?))
}

fn refused(problems: &[Problem]) -> Failure {
    let first = problems.first().map_or_else(String::new, |problem| {
        let line = problem.line.map_or_else(String::new, |line| format!(":{line}"));
        format!("{}{line}: {}", problem.file, problem.message)
    });
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-policies", format!("these policies cannot be used: {first}"))
}

async fn decide_anew(api: &Api, tried: Arc<dyn Tried>, mut filter: Filter) -> Result<ReplayResult, Failure> {
    let mut result = ReplayResult::default();
    loop {
        let page = api.index.sessions(&filter).await?;
        for session in page.entries {
            let (archive, tried) = (Arc::clone(&api.archive), Arc::clone(&tried));
            let (sessions, operations) = (result.sessions, result.operations);
            let left = MAX_OPERATIONS.saturating_sub(operations);
            let room = MAX_CHANGES.saturating_sub(result.changed.len());
            let one = off_thread(move || of_session(&*archive, &*tried, &session, left, room)).await?;
            result.sessions = sessions.saturating_add(1);
            result.operations = operations.saturating_add(one.operations);
            result.changed.extend(one.changed);
            if one.truncated {
                return Ok(ReplayResult { truncated: true, ..result });
            }
        }
        match page.next {
            Some(next) => filter.before = Some(next),
            None => return Ok(result),
        }
    }
}

/// One session. A recording that cannot be read to its end is decided as far as it can.
fn of_session(archive: &dyn Archive, tried: &dyn Tried, session: &Session, left: u64, room: usize) -> ReplayResult {
    let mut result = ReplayResult::default();
    let Ok(mut events) = archive.open(session.number) else { return result };
    let mut replay = tried.replay();
    while let Some(Ok(recorded)) = events.next() {
        match replay.take(&session.id, recorded.at, &recorded.json) {
            Replayed::Nothing => continue,
            Replayed::Same => {}
            Replayed::Changed(changed) => result.changed.push(*changed),
        }
        result.operations = result.operations.saturating_add(1);
        if result.operations >= left || result.changed.len() >= room {
            result.truncated = true;
            break;
        }
    }
    result
}

/// Does what takes time without holding others up.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let failed = |_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "this could not be worked out");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}
