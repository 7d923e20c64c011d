//! What people did in the control plane: how a route writes it down, and how it is read.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use portcullis_core::policy::Ruling;
use portcullis_core::vocabulary::Action;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::{Api, Failure};
use crate::audit::{AuditError, Deed};
use crate::store::AuditEntry;
use crate::vocabulary::PLANE;

/// The entries of a page, and the most.
const USUAL: u32 = 50;
const MAX_LISTED: u32 = 200;

/// A page of what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditList {
    /// The latest first.
    pub entries: Vec<AuditEntry>,
    /// What `before` has to be for the next page; `null` at the end.
    pub next: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    before: Option<i64>,
    limit: Option<u32>,
}

/// What is done, to be written down.
pub(super) struct Doing<'a> {
    pub(super) action: Action,
    pub(super) target: &'a str,
    pub(super) what: String,
    pub(super) detail: String,
    /// What permits it; none where it is theirs to do.
    pub(super) by: Option<Arc<Ruling>>,
}

impl From<AuditError> for Failure {
    fn from(why: AuditError) -> Self {
        tracing::error!(error = %why, "something in the control plane is not done, for it cannot be recorded");
        let message = "nothing is done that cannot be recorded, and nothing can be recorded now; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit-failed", message)
    }
}

impl Caller {
    /// Does something once it is recorded that it begins, and records what came of it.
    pub(super) async fn does<T>(
        &self,
        api: &Api,
        doing: Doing<'_>,
        deed: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let Doing { action, target, what, detail, by } = doing;
        let (who, address) = (self.person(), self.address());
        // No record, no deed.
        let begun = api.audit.begin(Deed { who, address, action, target: target.to_owned(), what, detail }, by).await?;
        let done = deed.await;
        begun.end(done.as_ref().err().map(|failure| failure.code.as_str())).await;
        done
    }
}

pub(super) async fn list(
    Shared(api): Shared<Api>,
    who: Caller,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<AuditList>, Failure> {
    who.permitted(&api, PLANE)?;
    let Query(page) = page.map_err(|why| Failure::new(why.status(), "bad-query", why.body_text()))?;
    let limit = page.limit.unwrap_or(USUAL).clamp(1, MAX_LISTED);
    let mut entries = api.audit.entries(page.before, limit.saturating_add(1)).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > wanted;
    entries.truncate(wanted);
    let next = entries.last().filter(|_| more).map(|entry| entry.seq.to_string());
    Ok(Json(AuditList { entries, next }))
}
