//! Live sessions, and their end.

use axum::Json;
use axum::extract::State as Shared;
use axum::extract::rejection::JsonRejection;
use portcullis_core::sessions::Revocation;
use serde::{Deserialize, Serialize};

use super::audit::Doing;
use super::caller::Caller;
use super::{Api, Failure};
use crate::vocabulary::{PLANE, SESSIONS_END};

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
    if let Revocation::Identity { issuer, subject } = what {
        api.desk.revoke_all(issuer, subject, &who.person()).await?;
    }
    Ok(sessions)
}
