//! Approvals that answer as they are told, or never.

use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::BoxFuture;
use portcullis_core::approval::{ApprovalError, Approvals, Ask, Notice, Verdict, Waiting};
use tokio::sync::watch;

/// What approvers were shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The statement.
    pub statement: Vec<u8>,
    /// The values that it would run with.
    pub values: String,
    /// What the approval would be bound to.
    pub fingerprint: [u8; 32],
}

/// Answers every ask with the verdict that was set, once one is set.
#[derive(Debug)]
pub struct FakeApprovals {
    verdict: watch::Sender<Option<Verdict>>,
    asked: Mutex<Vec<Shown>>,
    estimates: Arc<Mutex<Vec<u64>>>,
    withdrawn: Arc<Mutex<usize>>,
}

impl Default for FakeApprovals {
    fn default() -> Self {
        Self {
            verdict: watch::Sender::new(None),
            asked: Mutex::default(),
            estimates: Arc::default(),
            withdrawn: Arc::default(),
        }
    }
}

impl FakeApprovals {
    /// Answers all that waits and all that comes.
    pub fn answer(&self, verdict: Verdict) {
        self.verdict.send_replace(Some(verdict));
    }

    /// Lets what comes from now on wait again.
    pub fn wait(&self) {
        self.verdict.send_replace(None);
    }

    /// What was asked about, in order.
    pub fn asked(&self) -> Vec<Shown> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many rows were estimated to be written, in order.
    pub fn estimates(&self) -> Vec<u64> {
        self.estimates.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many asks were withdrawn.
    pub fn withdrawn(&self) -> usize {
        *self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Approvals for FakeApprovals {
    fn ask(&self, ask: &Ask<'_>) -> Result<Box<dyn Waiting>, ApprovalError> {
        let values = String::from_utf8_lossy(ask.values).into_owned();
        let shown = Shown { statement: ask.statement.to_vec(), values, fingerprint: *ask.fingerprint };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(shown);
        Ok(Box::new(FakeWaiting {
            notice: Notice { id: "ask-1".into(), url: "https://gate.example.com/asks/ask-1".into() },
            verdict: self.verdict.subscribe(),
            estimates: Arc::clone(&self.estimates),
            pending: Withdrawal { withdrawn: Arc::clone(&self.withdrawn), answered: false },
        }))
    }
}

struct FakeWaiting {
    notice: Notice,
    verdict: watch::Receiver<Option<Verdict>>,
    estimates: Arc<Mutex<Vec<u64>>>,
    pending: Withdrawal,
}

struct Withdrawal {
    withdrawn: Arc<Mutex<usize>>,
    answered: bool,
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if !self.answered {
            *self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
    }
}

impl Waiting for FakeWaiting {
    fn notice(&self) -> &Notice {
        &self.notice
    }

    fn estimated(&mut self, rows: u64) {
        self.estimates.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
    }

    fn verdict(self: Box<Self>) -> BoxFuture<'static, Verdict> {
        let Self { mut verdict, pending, .. } = *self;
        Box::pin(async move {
            let mut pending = pending;
            let said = verdict.wait_for(Option::is_some).await.map(|said| said.clone());
            pending.answered = true;
            drop(pending);
            said.ok().flatten().unwrap_or_else(|| Verdict::Lost("the approvals are gone".into()))
        })
    }
}
