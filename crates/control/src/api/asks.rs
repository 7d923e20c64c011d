//! Asks: who sees which, and what they answer.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State as Shared};
use serde::{Deserialize, Serialize};

use super::audit::Doing;
use super::caller::Caller;
use super::{Api, Failure};
use crate::ask::{Ask, MAX_REASON, State, Unanswerable, rfc3339};
use crate::audit::ASKS_ANSWER;
use crate::desk::DeskError;
use crate::vocabulary::{ASKS_READ, ASKS_REVOKE};

/// The most asks that one answer lists.
const MAX_LISTED: u32 = 200;

/// An ask as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Listed {
    /// The latest first.
    pub asks: Vec<Shown>,
}

/// Why.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// For the record, and for whoever asked.
    pub reason: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    state: Option<State>,
}

pub(super) async fn list(
    Shared(api): Shared<Api>,
    who: Caller,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Listed>, Failure> {
    let Query(filter) = filter.map_err(|why| Failure::new(why.status(), "bad-query", why.body_text()))?;
    let states = filter.state.map_or_else(|| State::ALL.to_vec(), |state| vec![state]);
    let asks = api.desk.list(&|ask| who.sees(&api, ask, ASKS_READ), &states, MAX_LISTED).await?;
    Ok(Json(Listed { asks: asks.into_iter().map(Shown::from).collect() }))
}

pub(super) async fn show(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Failure> {
    Ok(Json(api.desk.show(&|ask| who.sees(&api, ask, ASKS_READ), &id).await?.into()))
}

pub(super) type Body = Result<Json<Reason>, JsonRejection>;

pub(super) fn reason(body: Body) -> Result<String, Failure> {
    let Json(Reason { reason }) = body.map_err(|why| Failure::new(why.status(), "bad-body", why.body_text()))?;
    Ok(reason)
}

pub(super) async fn approve(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Failure> {
    answer(&api, &who, &id, true, body).await
}

pub(super) async fn deny(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Failure> {
    answer(&api, &who, &id, false, body).await
}

async fn answer(api: &Api, who: &Caller, id: &str, yes: bool, body: Body) -> Result<Json<Shown>, Failure> {
    let by = who.answers(api)?;
    let reason = reason(body)?;
    let target = api.desk.show(&|ask| ask.is_for(&by), id).await?.target;
    let said = if yes { "approve" } else { "deny" };
    let doing = Doing {
        action: ASKS_ANSWER,
        target: &target,
        what: format!("ask {id}"),
        detail: format!("{said}: {}", reason.trim()),
        by: None,
    };
    let ask = who.does(api, doing, async { Ok(api.desk.answer(id, by, yes, reason).await?) }).await?;
    tracing::info!(ask = id, by = ask.answers.last().map(|answer| answer.by.name()), yes, "an ask was answered");
    Ok(Json(ask.into()))
}

pub(super) async fn revoke(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Shown>, Failure> {
    let reason = reason(body)?;
    if reason.trim().is_empty() || reason.len() > MAX_REASON {
        return Err(DeskError::from(Unanswerable::Reason).into());
    }
    let sees = |ask: &Ask| who.sees(&api, ask, ASKS_REVOKE);
    let ask = api.desk.show(&sees, &id).await?;
    let theirs = ask.is_for(&who.person());
    let doing = Doing {
        action: ASKS_REVOKE,
        target: &ask.target,
        what: format!("ask {id}"),
        detail: reason.trim().to_owned(),
        by: if theirs { None } else { who.warrant(&api, ASKS_REVOKE, &ask.target) },
    };
    let revoke = async { Ok(api.desk.revoke(&sees, &id, who.person(), reason).await?) };
    let ask = who.does(&api, doing, revoke).await?;
    tracing::info!(ask = id, by = who.identity.name(), "an ask was revoked");
    Ok(Json(ask.into()))
}
