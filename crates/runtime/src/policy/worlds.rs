//! The two worlds: a policy marked `@approval` counts only in one of them, a permit when approved,
//! a forbid when not.
//!
//! Which policy is satisfied is Cedar's business; this only asks it once or twice.

use std::collections::HashMap;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet, PolicySetError,
    PrincipalConstraint, Request,
};

use super::reads::Reads;

/// The policies that a question can meet, arranged for asking.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// The world as it is: unmarked policies and marked forbids.
    as_is: PolicySet,
    /// The world as if approved: unmarked policies and marked permits.
    as_if_approved: PolicySet,
    /// Each policy's number in the bundle, and whether it is marked.
    members: HashMap<PolicyId, (usize, bool)>,
    /// What its policies read.
    pub(super) reads: Reads,
    /// Heads of the policies that read what changes while a session lasts.
    pub(super) changing: Vec<PrincipalConstraint>,
}

/// What Cedar said in one world, with policies by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct World {
    pub(super) allowed: bool,
    /// Policies that decided: the satisfied forbids if there are any, else the satisfied permits.
    pub(super) deciding: Vec<usize>,
    /// Policies that could not be evaluated.
    pub(super) broken: Vec<usize>,
}

/// What becomes of one effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Allowed as it is, by these permits.
    Allow(Vec<usize>),
    /// Allowed if humans lift all of the forbids and grant any one of the permits; where an
    /// unmarked policy permits too, there are no permits to grant.
    AskFirst { forbids: Vec<usize>, permits: Vec<usize> },
    /// Forbidden by these; by none where nothing permits it.
    Deny(Vec<usize>),
    /// These could not be evaluated.
    Broken(Vec<usize>),
}

/// Both worlds and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) as_is: World,
    /// Not asked where the first one settled it.
    pub(super) as_if_approved: Option<World>,
    pub(super) outcome: Outcome,
}

impl Slice {
    /// Adds a policy with its number.
    pub(super) fn add(
        &mut self,
        policy: &Policy,
        number: usize,
        marked: bool,
        reads: &Reads,
    ) -> Result<(), Box<PolicySetError>> {
        let permits = policy.effect() == Effect::Permit;
        if !(marked && permits) {
            self.as_is.add(policy.clone())?;
        }
        if !marked || permits {
            self.as_if_approved.add(policy.clone())?;
        }
        self.members.insert(policy.id().clone(), (number, marked));
        self.reads.join(reads);
        if reads.changes() {
            self.changing.push(policy.principal_constraint());
        }
        Ok(())
    }

    /// How many policies are in it.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Decides one effect.
    pub(super) fn judge(&self, request: &Request, entities: &Entities) -> Judgement {
        let as_is = self.world(&self.as_is, request, entities);
        let settled = if !as_is.broken.is_empty() {
            Some(Outcome::Broken(as_is.broken.clone()))
        } else if as_is.allowed {
            Some(Outcome::Allow(as_is.deciding.clone()))
        } else {
            None
        };
        if let Some(outcome) = settled {
            return Judgement { as_is, as_if_approved: None, outcome };
        }
        let approved = self.world(&self.as_if_approved, request, entities);
        let outcome = if !approved.broken.is_empty() {
            Outcome::Broken(approved.broken.clone())
        } else if approved.allowed {
            self.ask_first(&as_is, &approved)
        } else {
            Outcome::Deny(approved.deciding.clone())
        };
        Judgement { as_is, as_if_approved: Some(approved), outcome }
    }

    /// What made the difference between the worlds. In the world as it is only marked forbids can
    /// have decided, or nothing: an unmarked forbid would have decided in the other one as well.
    fn ask_first(&self, as_is: &World, approved: &World) -> Outcome {
        let permitted_anyway = approved.deciding.iter().any(|number| !self.is_marked(*number));
        let permits = if permitted_anyway { Vec::new() } else { approved.deciding.clone() };
        Outcome::AskFirst { forbids: as_is.deciding.clone(), permits }
    }

    fn is_marked(&self, number: usize) -> bool {
        self.members.values().any(|(known, marked)| *known == number && *marked)
    }

    fn world(&self, policies: &PolicySet, request: &Request, entities: &Entities) -> World {
        let response = Authorizer::new().is_authorized(request, policies, entities);
        let diagnostics = response.diagnostics();
        let broken = diagnostics.errors().map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id());
        World {
            allowed: response.decision() == Decision::Allow,
            deciding: self.numbers(diagnostics.reason()),
            broken: self.numbers(broken),
        }
    }

    fn numbers<'i>(&self, ids: impl Iterator<Item = &'i PolicyId>) -> Vec<usize> {
        let mut numbers: Vec<_> = ids.filter_map(|id| self.members.get(id)).map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers
    }
}
