//! Who the caller is, and what they may do.

use axum::Json;
use axum::extract::State as Shared;
use portcullis_core::identity::Kind;
use serde::{Deserialize, Serialize};

use super::Api;
use super::caller::Caller;
use crate::ask::rfc3339;
use crate::sign_in::Cookie;
use crate::vocabulary::{PLANE, VOCABULARY};

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Me {
    /// A name for people.
    pub name: String,
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's name for them.
    pub subject: String,
    /// The verified e-mail address.
    pub email: Option<String>,
    /// `user` or `workload`.
    pub kind: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// When what proves them is over (RFC 3339).
    pub expires_at: String,
    /// What a page has to send along with every change; `null` for whoever shows a token.
    pub csrf: Option<String>,
    /// What the policies permit them in the control plane as a whole. More may be permitted about
    /// single targets.
    pub may: Vec<String>,
}

pub(super) async fn me(Shared(api): Shared<Api>, who: Caller) -> Json<Me> {
    let identity = &who.identity;
    let actions = VOCABULARY.actions.iter().map(|entry| entry.action);
    let kind = match identity.kind {
        Kind::User => "user",
        Kind::Workload => "workload",
    };
    Json(Me {
        name: identity.name().to_owned(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        email: identity.email.clone(),
        kind: kind.to_owned(),
        groups: identity.groups.clone(),
        expires_at: rfc3339(portcullis_core::clock::unix_micros(identity.expires)),
        csrf: who.cookie.as_ref().map(Cookie::csrf),
        may: actions.filter(|action| who.may(&api, *action, PLANE)).map(|action| action.name().to_owned()).collect(),
    })
}
