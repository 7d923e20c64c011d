//! Core's port of approvals, at the desk.

use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::approval::{ApprovalError, Approvals, Ask, Notice, Verdict, Waiting};

use crate::desk::{Desk, Place};

/// Asks at a desk, and says where to answer.
#[derive(Debug)]
pub struct DeskApprovals {
    desk: Arc<Desk>,
    /// Where people reach the control plane, without a slash at its end.
    url: String,
}

impl DeskApprovals {
    /// Approvals at `desk`, to be answered at `url`.
    pub fn new(desk: Arc<Desk>, url: &str) -> Self {
        Self { desk, url: url.trim_end_matches('/').to_owned() }
    }
}

impl Approvals for DeskApprovals {
    fn ask(&self, ask: &Ask<'_>) -> Result<Box<dyn Waiting>, ApprovalError> {
        let place = self.desk.put(ask).map_err(|why| ApprovalError(why.to_owned()))?;
        let notice = Notice { id: place.id().to_owned(), url: format!("{}/asks/{}", self.url, place.id()) };
        Ok(Box::new(AtDesk { notice, place }))
    }
}

struct AtDesk {
    notice: Notice,
    place: Place,
}

impl Waiting for AtDesk {
    fn notice(&self) -> &Notice {
        &self.notice
    }

    fn estimated(&mut self, rows: u64) {
        self.place.estimated(rows);
    }

    fn verdict(self: Box<Self>) -> BoxFuture<'static, Verdict> {
        Box::pin(self.place.verdict())
    }
}
