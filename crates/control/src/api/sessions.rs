//! Live sessions, and their end.

use axum::Json;
use axum::extract::State as Shared;
use axum::extract::rejection::JsonRejection;
use portcullis_core::sessions::Revocation;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::{Api, Failure};
use crate::vocabulary::PLANE;

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
    who.permitted(&api, PLANE)?;
    let Json(ends) = body.map_err(|why| Failure::new(why.status(), "bad-body", why.body_text()))?;
    let what = match ends {
        Ends::Session(id) => Revocation::Session(id),
        Ends::Token(id) => Revocation::Token(id),
        Ends::Identity { issuer, subject } => Revocation::Identity { issuer, subject },
    };
    let sessions = api.sessions.revoke(&what);
    if let Revocation::Identity { issuer, subject } = &what {
        api.desk.revoke_all(issuer, subject, &who.person()).await?;
    }
    tracing::info!(by = who.identity.name(), what = ?what, sessions, "sessions were revoked");
    Ok(Json(Ended { sessions }))
}
