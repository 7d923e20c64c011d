//! What went wrong with a request, for programs and for people.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::ask::Unanswerable;
use crate::authority::NotPermitted;
use crate::desk::DeskError;
use crate::store::StoreError;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    #[serde(skip)]
    status: StatusCode,
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
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

impl From<NotPermitted> for Failure {
    fn from(why: NotPermitted) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-permitted", why.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(why: StoreError) -> Self {
        tracing::error!(error = %why, "the control plane's store failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-failed", "nothing can be stored or read now; try again")
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
            DeskError::Store(why) => return why.clone().into(),
        };
        Self::new(status, code, why.to_string())
    }
}
