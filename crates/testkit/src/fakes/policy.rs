//! A policy that is told which actions to deny and which to ask about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_core::policy::{Decision, Policy, Question, Ruling, Terms};

/// Allows everything but the actions that it was told about.
#[derive(Debug, Default)]
pub struct FakePolicy {
    told: Mutex<HashMap<String, Decision>>,
}

impl FakePolicy {
    /// Denies every operation with this action.
    pub fn deny(&self, action: &str) {
        self.tell(action, Decision::Deny);
    }

    /// Asks about every operation with this action.
    pub fn ask(&self, action: &str) {
        let terms = Terms { groups: vec![vec!["fake:approvers".into()]], quorum: 1, ttl: Duration::from_secs(60) };
        self.tell(action, Decision::AskFirst(terms));
    }

    /// Allows everything again.
    pub fn allow_all(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn tell(&self, action: &str, decision: Decision) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(action.to_owned(), decision);
    }
}

impl Policy for FakePolicy {
    fn decide(&self, question: &Question<'_>) -> Arc<Ruling> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let found = question.effects.list().iter().filter_map(|effect| told.get(effect.action.name()));
        let strictest = found.max_by_key(|decision| match decision {
            Decision::Allow => 0,
            Decision::AskFirst(_) => 1,
            Decision::Deny => 2,
        });
        let decision = strictest.cloned().unwrap_or(Decision::Allow);
        Arc::new(Ruling {
            decision,
            policies: vec!["told".into()],
            reason: "it was told so".into(),
            revision: "1".into(),
        })
    }
}
