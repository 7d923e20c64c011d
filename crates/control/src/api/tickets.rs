//! `POST /v1/tickets`: a short text that stands for the caller at one target, once.

use axum::Json;
use axum::extract::State as Shared;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use portcullis_core::clock::unix_micros;
use serde::{Deserialize, Serialize};

use super::audit::Doing;
use super::caller::Caller;
use super::{Api, Failure};
use crate::ask::rfc3339;
use crate::vocabulary::TICKETS_MAKE;

/// Where a ticket is to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketFor {
    /// The target's name.
    pub target: String,
}

/// A ticket.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ticket {
    /// What the client sends as its password.
    pub ticket: String,
    /// The target at which it is good.
    pub target: String,
    /// Until when (RFC 3339).
    pub expires_at: String,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("target", &self.target).finish_non_exhaustive()
    }
}

pub(super) async fn make(
    Shared(api): Shared<Api>,
    who: Caller,
    body: Result<Json<TicketFor>, JsonRejection>,
) -> Result<Json<Ticket>, Failure> {
    let Json(TicketFor { target }) = body.map_err(|why| Failure::new(why.status(), "bad-body", why.body_text()))?;
    let by = who.permitted(&api, &target)?;
    if !api.doors.leads_to(&target) {
        let message = "there is no such target that you may see";
        return Err(Failure::new(StatusCode::NOT_FOUND, "no-such-target", message));
    }
    let (what, detail) = (String::from("ticket"), String::new());
    let doing = Doing { action: TICKETS_MAKE, target: &target, what, detail, by };
    let many = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-tickets", "use the tickets that you have");
    let made = who.does(&api, doing, async { api.tickets.make(&who.identity, &target).ok_or_else(many) }).await?;
    let (ticket, expires_at) = (made.text.expose().clone(), rfc3339(unix_micros(made.until)));
    Ok(Json(Ticket { ticket, target, expires_at }))
}
