//! Plans of results that were made in this session, for when the same statement comes again; and what
//! was looked up for the one that is being made.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use portcullis_core::masking::View;

use crate::catalogue::FRESH;
use crate::mask::Plan;
use crate::relations::{Found, Relations, Wanted};
use crate::wire::rows::Column;

/// The most plans kept in one session.
const MAX_PLANS: usize = 256;

/// Plans of longer texts are not kept.
const MAX_TEXT: usize = 16 << 10;

/// How often one plan may want more to be looked up: views stand on views.
const MAX_ROUNDS: u32 = 64;

/// What a plan is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Made {
    pub(super) columns: Arc<[Column]>,
    /// The text, and which of its statements; none where it is not known.
    pub(super) text: Option<Bytes>,
    pub(super) statement: usize,
}

/// The plans.
#[derive(Debug, Default)]
pub(super) struct Plans(HashMap<Made, Kept>);

#[derive(Debug)]
struct Kept {
    plan: Arc<Plan>,
    view: Arc<View>,
    epoch: Epoch,
    at: Instant,
}

/// Changes whenever names may have come to mean something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch {
    pub(super) session: u64,
    pub(super) catalogue: u64,
}

impl Plans {
    /// A plan that still holds.
    pub(super) fn get(&self, made: &Made, view: &Arc<View>, epoch: Epoch) -> Option<Arc<Plan>> {
        let kept = self.0.get(made)?;
        let holds = Arc::ptr_eq(&kept.view, view) && kept.epoch == epoch && kept.at.elapsed() < FRESH;
        holds.then(|| Arc::clone(&kept.plan))
    }

    /// Keeps a plan.
    pub(super) fn keep(&mut self, made: Made, plan: Arc<Plan>, view: &Arc<View>, epoch: Epoch) {
        if made.text.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
            return;
        }
        if self.0.len() >= MAX_PLANS {
            self.0.clear();
        }
        self.0.insert(made, Kept { plan, view: Arc::clone(view), epoch, at: Instant::now() });
    }
}

/// What was looked up for the plan that is being made.
#[derive(Debug)]
pub(super) struct LookedUp {
    pub(super) relations: Arc<Relations>,
    pub(super) at: Instant,
    rounds: u32,
}

impl Default for LookedUp {
    fn default() -> Self {
        Self { relations: Arc::default(), at: Instant::now(), rounds: 0 }
    }
}

impl LookedUp {
    /// What is wanted in another round; `None` where there were too many.
    pub(super) fn again(&mut self, wanted: Wanted) -> Option<Wanted> {
        self.rounds = self.rounds.saturating_add(1);
        (self.rounds <= MAX_ROUNDS).then_some(wanted)
    }

    /// Takes what was found.
    pub(super) fn learn(&mut self, found: &Found) {
        let mut relations = std::mem::take(&mut self.relations);
        Arc::make_mut(&mut relations).learn(found, self.at);
        self.relations = relations;
    }
}
