//! What the policies permit people in the control plane. The same policies that decide operations
//! decide here; there is nobody to ask, so what would need an approval is not permitted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_core::identity::Identity;
use portcullis_core::operation::{Effect, Effects, Facts, Resource};
use portcullis_core::policy::{Decision, Policy, Question, Ruling, Subject};
use portcullis_core::vocabulary::Action;

use crate::vocabulary::VOCABULARY;

/// Labels of a target, by their names.
pub type Labels = Vec<(String, String)>;

/// Why something is not permitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policies do not permit you `{action}` on `{target}`: {reason}")]
pub struct NotPermitted {
    /// The action.
    pub action: Action,
    /// The target that it would be about.
    pub target: String,
    /// What the policies say.
    pub reason: String,
}

/// Asks the policies.
#[derive(Clone)]
pub struct Authority {
    policy: Arc<dyn Policy>,
    labels: Arc<HashMap<String, Labels>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// By this policy, with the labels of the targets that policies may name.
    pub fn new(policy: Arc<dyn Policy>, labels: HashMap<String, Labels>) -> Self {
        Self { policy, labels: Arc::new(labels) }
    }

    /// Whether somebody at `client` may do something about a target, and what permits it.
    pub fn permits(
        &self,
        who: &Identity,
        client: IpAddr,
        action: Action,
        target: &str,
    ) -> Result<Arc<Ruling>, NotPermitted> {
        let now = SystemTime::now();
        let labels = self.labels.get(target).cloned().unwrap_or_default();
        let subject =
            Subject::new(who.clone(), target.to_owned(), labels, VOCABULARY.family, client, String::new(), now);
        let effects = Effects::new(vec![Effect { action, resource: Resource::target(), facts: Facts::new() }]);
        let ruling = self.policy.decide(&Question { subject: &subject, effects: &effects, now });
        let reason = match &ruling.decision {
            Decision::Allow => return Ok(ruling),
            Decision::Deny => ruling.reason.clone(),
            Decision::AskFirst(_) => String::from("it would need an approval, which nobody can give here"),
        };
        Err(NotPermitted { action, target: target.to_owned(), reason })
    }
}
