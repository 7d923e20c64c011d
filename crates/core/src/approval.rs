//! Asking humans: the port through which an operation that is `AskFirst` waits for its answer.
//!
//! Who may answer and how they are told is the adapter's business.

use std::time::SystemTime;

use crate::BoxFuture;
use crate::operation::Effects;
use crate::policy::{Ruling, Subject};

/// What approvers are asked. It borrows the operation: an adapter copies what it keeps.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who wants to do it.
    pub subject: &'a Subject,
    /// The session that waits.
    pub session: &'a str,
    /// The exact bytes that would go to the target.
    pub statement: &'a [u8],
    /// The values that it runs with, for people: see [`Parameters::values`](crate::operation::Parameters).
    pub values: &'a [u8],
    /// What it would do.
    pub effects: &'a Effects,
    /// The account on the target under which it would run.
    pub account: &'a str,
    /// The operation is part of a transaction that is open: what it has locked stays locked while
    /// it waits.
    pub in_transaction: bool,
    /// SHA-256 over identity, target, account, statement, parameters, effects and policy revision:
    /// what the approval is bound to.
    pub fingerprint: &'a [u8; 32],
    /// The ruling that asked for it, [`Decision::AskFirst`](crate::policy::Decision::AskFirst).
    pub ruling: &'a Ruling,
    /// When it was asked.
    pub asked: SystemTime,
}

/// What the waiting client is shown at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The ask's id.
    pub id: String,
    /// Where a human can answer it.
    pub url: String,
}

/// How an ask ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Humans said yes; these say who, and whatever else the record shall hold of it.
    Approved(Vec<String>),
    /// A human said no, with a reason.
    Denied(String),
    /// Nobody answered in time.
    Expired,
    /// The ask was lost by the adapter: it failed or is shutting down.
    Lost(String),
}

/// Why an ask could not even be put.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ApprovalError(pub String);

/// An ask that waits. Dropping it withdraws the ask.
pub trait Waiting: Send {
    /// What to show to the client meanwhile.
    fn notice(&self) -> &Notice;

    /// Takes the target's own estimate of how many rows would be written, for approvers to see. It
    /// counts only before the wait.
    fn estimated(&mut self, rows: u64);

    /// Waits for the answer.
    fn verdict(self: Box<Self>) -> BoxFuture<'static, Verdict>;
}

/// The port through which humans are asked.
pub trait Approvals: Send + Sync {
    /// Puts the ask. It returns at once; the waiting is in [`Waiting::verdict`].
    fn ask(&self, ask: &Ask<'_>) -> Result<Box<dyn Waiting>, ApprovalError>;
}

/// For gates without approvals: every ask is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoApprovals;

impl Approvals for NoApprovals {
    fn ask(&self, _ask: &Ask<'_>) -> Result<Box<dyn Waiting>, ApprovalError> {
        Err(ApprovalError(String::from("this gate has nobody to ask: no approvals are configured")))
    }
}
