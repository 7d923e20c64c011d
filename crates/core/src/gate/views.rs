//! What a session sees, kept between its operations: one view for each revision of the policies.
//!
//! The view belongs to the same snapshot of the policies as the decision beside it. Where the
//! policies change between the two, everything is masked for that one operation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::masking::{Rules, Tags, View};
use crate::policy::{Decision, Policy, Question, Subject};

/// The views of one session.
pub(super) struct Views {
    rules: Rules,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    /// The revision under which nothing can change; `None` where each operation asks anew.
    revision: Option<Arc<str>>,
    hidden: Tags,
    view: Option<Arc<View>>,
}

impl Views {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, last: Mutex::default() }
    }

    /// The view under the revision that decided the operation.
    pub(super) fn of(
        &self,
        policy: &dyn Policy,
        subject: &Subject,
        revision: &Arc<str>,
        now: SystemTime,
    ) -> Option<Arc<View>> {
        if self.rules.is_none() {
            return None;
        }
        // What is kept is whole at every moment, so a poisoned lock is still good.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.revision.as_ref() == Some(revision) {
            return last.view.clone();
        }
        let (hidden, lasts) = self.hidden(policy, subject, revision, now);
        if last.view.is_none() || last.hidden != hidden {
            *last = Last { revision: None, hidden, view: View::new(&self.rules, hidden) };
        }
        last.revision = lasts.then(|| Arc::clone(revision));
        last.view.clone()
    }

    /// The tags that are not revealed, and whether that stays so under this revision.
    fn hidden(&self, policy: &dyn Policy, subject: &Subject, revision: &Arc<str>, now: SystemTime) -> (Tags, bool) {
        let (mut hidden, mut lasts) = (Tags::NONE, true);
        for (tag, effects) in self.rules.questions() {
            let (ruling, stays) = policy.decide_lasting(&Question { subject, effects, now });
            let same = ruling.revision == *revision;
            lasts &= stays && same;
            // A tag is shown only where this very revision allows it: no ask, no doubt.
            if !same || ruling.decision != Decision::Allow {
                hidden |= tag;
            }
        }
        (hidden, lasts)
    }
}
