//! An operation that waits for humans. Dropping it withdraws the ask.

use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest;

use super::Shared;
use super::session::refused;
use crate::approval::{Ask, Notice, Verdict, Waiting};
use crate::operation::Operation;
use crate::permit::Permit;
use crate::policy::Ruling;
use crate::recording::Event;
use crate::refusal::Refusal;
use crate::sessions::Ending;

/// An ask that waits for its answer.
pub struct Pending {
    shared: Arc<Shared>,
    op: u64,
    waiting: Option<Box<dyn Waiting>>,
    answered: bool,
    notice: Notice,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("op", &self.op).field("ask", &self.notice.id).finish_non_exhaustive()
    }
}

impl Pending {
    pub(super) fn put(
        shared: &Arc<Shared>,
        op: u64,
        now: SystemTime,
        operation: &Operation<'_>,
        ruling: &Ruling,
    ) -> Result<Self, Refusal> {
        let fingerprint = fingerprint(shared, operation, ruling);
        let ask = Ask {
            subject: &shared.subject,
            session: shared.id(),
            statement: operation.statement,
            fingerprint: &fingerprint,
            ruling,
            asked: now,
        };
        let waiting = shared.ports.approvals.ask(&ask).map_err(|_| Refusal::NobodyToAsk)?;
        let notice = waiting.notice().clone();
        shared.append(now, &Event::Asked { op, ask: notice.id.as_str().into() })?;
        shared.commit()?;
        Ok(Self { shared: Arc::clone(shared), op, waiting: Some(waiting), answered: false, notice })
    }

    /// What to show to the client at once.
    pub const fn notice(&self) -> &Notice {
        &self.notice
    }

    /// Waits for the answer. A session that ends meanwhile gets no permit.
    pub async fn wait(mut self) -> Result<Permit, Refusal> {
        let Some(waiting) = self.waiting.take() else { return Err(Refusal::NobodyToAsk) };
        let verdict = waiting.verdict().await;
        self.answered = true;
        let now = self.shared.now();
        let (word, detail, refusal) = match verdict {
            Verdict::Approved(by) => ("approved", by.join(", "), None),
            Verdict::Denied(reason) => ("denied", reason.clone(), Some(Refusal::Rejected(reason))),
            Verdict::Expired => ("expired", String::new(), Some(Refusal::NotApproved)),
            Verdict::Lost(why) => ("lost", why, Some(Refusal::NobodyToAsk)),
        };
        self.shared.append(now, &Event::Answered { op: self.op, verdict: word.into(), detail: detail.into() })?;
        let ended = match self.shared.ending() {
            Ending::NotYet => None,
            Ending::Finish(reason) | Ending::Now(reason) => Some(Refusal::Ended(reason)),
        };
        match refusal.or(ended) {
            Some(refusal) => {
                refused(&self.shared, self.op, now, &refusal)?;
                Err(refusal)
            }
            None => Ok(Shared::admit(&self.shared, self.op, now)),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.answered {
            let now = self.shared.now();
            let withdrawn = Event::Answered { op: self.op, verdict: "withdrawn".into(), detail: "".into() };
            let _ = self.shared.append(now, &withdrawn);
            let _ = refused(&self.shared, self.op, now, &Refusal::NotApproved);
        }
    }
}

/// What an approval is bound to. Each part carries its length, so that no two differ only in
/// where one part ends.
fn fingerprint(shared: &Shared, operation: &Operation<'_>, ruling: &Ruling) -> [u8; 32] {
    let subject = &shared.subject;
    let mut sum = digest::Context::new(&digest::SHA256);
    let parts: [&[u8]; 7] = [
        subject.identity.issuer.as_bytes(),
        subject.identity.subject.as_bytes(),
        subject.target.as_bytes(),
        operation.kind.as_bytes(),
        operation.statement,
        operation.parameters.values,
        ruling.revision.as_bytes(),
    ];
    for part in parts {
        sum.update(&(part.len() as u64).to_be_bytes());
        sum.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(sum.finish().as_ref());
    out
}
