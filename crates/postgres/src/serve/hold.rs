//! A statement that waits for humans, on the relay's side: what its client is told at once, and the
//! answer. Dropping it withdraws the ask.

use std::task::{Context, Poll};

use bytes::BytesMut;
use portcullis_core::BoxFuture;
use portcullis_core::gate::Pending;
use portcullis_core::permit::Permit;
use portcullis_core::refusal::Refusal;

use super::estimate::Estimate;
use crate::wire::write::{self, Report, Severity};

/// An ask that waits.
pub(super) struct Hold<'p>(BoxFuture<'p, Result<Permit, Refusal>>);

impl<'p> Hold<'p> {
    /// Begins to wait, and writes what the client is told.
    pub(super) fn begin(mut pending: Pending, estimate: Option<Estimate<'p>>, notices: &mut BytesMut) -> Self {
        let notice = pending.notice();
        let told = Report {
            // successful_completion, which PostgreSQL gives to its own notices
            code: "00000",
            // Some drivers show this line and no other.
            message: format!("this statement waits for an approval at {}: {}", notice.url, pending.reason()),
            detail: Some(format!("it is ask {}", notice.id)),
            hint: Some("cancel it to withdraw the ask".into()),
        };
        write::report(notices, Severity::Notice, &told);
        Self(Box::pin(async move {
            if let Some(estimate) = estimate
                && let Some(rows) = estimate.await
            {
                pending.estimated(rows);
            }
            pending.wait().await
        }))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Permit, Refusal>> {
        self.0.as_mut().poll(cx)
    }
}
