//! An operation that waits for humans. Dropping it withdraws the ask.

use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest;

use super::Shared;
use super::session::{denied, refused};
use crate::approval::{Ask, Notice, Verdict, Waiting};
use crate::operation::{Effects, Operation};
use crate::permit::Permit;
use crate::policy::{Decision, Ruling};
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
    effects: Effects,
    ruling: Arc<Ruling>,
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
        ruling: Arc<Ruling>,
    ) -> Result<Self, Refusal> {
        let fingerprint = fingerprint(shared, operation, &ruling);
        let ask = Ask {
            subject: &shared.subject,
            session: shared.id(),
            statement: operation.statement,
            values: operation.parameters.values,
            effects: operation.effects,
            account: operation.account,
            in_transaction: operation.in_transaction,
            fingerprint: &fingerprint,
            ruling: &ruling,
            asked: now,
        };
        let waiting = shared.ports.approvals.ask(&ask).map_err(|_| Refusal::NobodyToAsk)?;
        let notice = waiting.notice().clone();
        shared.append(now, &Event::Asked { op, ask: notice.id.as_str().into() })?;
        shared.commit()?;
        let (shared, effects) = (Arc::clone(shared), operation.effects.clone());
        Ok(Self { shared, op, waiting: Some(waiting), answered: false, notice, effects, ruling })
    }

    /// What to show to the client at once.
    pub const fn notice(&self) -> &Notice {
        &self.notice
    }

    /// Why an approval is needed.
    pub fn reason(&self) -> &str {
        &self.ruling.reason
    }

    /// Lets approvers see how many rows the target estimates that it would write.
    pub fn estimated(&mut self, rows: u64) {
        if let Some(waiting) = &mut self.waiting {
            waiting.estimated(rows);
        }
    }

    /// Waits for the answer. A session that ends meanwhile gets no permit, and neither does what
    /// the policies of after the wait see otherwise than those of before.
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
        match refusal.or_else(|| self.overtaken(now)) {
            Some(refusal) => {
                refused(&self.shared, self.op, now, &refusal)?;
                Err(refusal)
            }
            None => Ok(Shared::admit(&self.shared, self.op, now, &self.ruling)),
        }
    }
}

impl Pending {
    /// Why an approval comes too late: what it was bound to is no more.
    fn overtaken(&self, now: SystemTime) -> Option<Refusal> {
        match self.shared.ending() {
            Ending::NotYet => {}
            Ending::Finish(reason) | Ending::Now(reason) => return Some(Refusal::Ended(reason)),
        }
        let ruling = self.shared.rule(&self.effects, now);
        match &ruling.decision {
            _ if ruling == self.ruling => None,
            Decision::Deny => Some(Refusal::Denied(ruling)),
            Decision::Allow | Decision::AskFirst(_) => {
                Some(denied("the policies changed while this waited; ask again"))
            }
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
    let parts: [&[u8]; 9] = [
        subject.identity.issuer.as_bytes(),
        subject.identity.subject.as_bytes(),
        subject.target.as_bytes(),
        operation.account.as_bytes(),
        operation.kind.as_bytes(),
        operation.statement,
        operation.parameters.values,
        // The same words can name other things in another database or under another search path.
        operation.effects.digest(),
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
