//! Why a question gets its answer: each effect in both worlds, with the policies that decided.
//!
//! It asks exactly as [`decide`](portcullis_core::policy::Policy::decide) does and remembers nothing.

use std::sync::Arc;

use portcullis_core::operation::Effect;
use portcullis_core::policy::{Decision, Question, Terms};
use serde::Serialize;

use super::rules::Rules;
use super::worlds::World;
use super::{Asked, CedarPolicy, ruling};

/// A ruling with all that led to it.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The revision that was asked.
    pub revision: Arc<str>,
    /// `allow`, `ask-first` or `deny`.
    pub decision: &'static str,
    /// Ids of the policies that decided.
    pub policies: Vec<String>,
    /// Why, for people.
    pub reason: String,
    /// What an approval needs, where one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// Each effect by itself.
    pub effects: Vec<EffectExplained>,
}

/// One effect of the operation in both worlds.
#[derive(Debug, Serialize)]
pub struct EffectExplained {
    /// The effect, with the facts that it states.
    #[serde(flatten)]
    pub effect: Effect,
    /// `allow`, `ask-first` or `deny`.
    pub decision: &'static str,
    /// Ids of the policies that decided.
    pub policies: Vec<String>,
    /// Why, for people.
    pub reason: String,
    /// How many policies the target and the action leave to be asked.
    pub considered: usize,
    /// The world as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_is: Option<WorldExplained>,
    /// The world as if approved, where the first one did not settle it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_if_approved: Option<WorldExplained>,
}

/// What was found in one world.
#[derive(Debug, Serialize)]
pub struct WorldExplained {
    /// Whether it is allowed there.
    pub allowed: bool,
    /// Ids of the satisfied forbids if there are any, else of the satisfied permits.
    pub deciding: Vec<String>,
    /// Ids of policies that could not be evaluated.
    pub broken: Vec<String>,
}

impl CedarPolicy {
    /// Answers a question and says why.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let rules = self.current.load();
        let (ruling, _) = rules.decide(question);
        let effects = question.effects.list().iter().map(|effect| explained(&rules, question, effect)).collect();
        Explanation {
            revision: Arc::clone(&ruling.revision),
            decision: ruling.decision.word(),
            policies: ruling.policies.clone(),
            reason: ruling.reason.clone(),
            terms: match &ruling.decision {
                Decision::AskFirst(terms) => Some(terms.clone()),
                Decision::Allow | Decision::Deny => None,
            },
            effects,
        }
    }

    /// Answers a written question and says why, or what is wrong with the question.
    pub fn explain_asked(&self, asked: &Asked) -> Result<Explanation, String> {
        let (subject, effects, now) = asked.understood(&self.words)?;
        Ok(self.explain(&Question { subject: &subject, effects: &effects, now }))
    }
}

fn explained(rules: &Rules, question: &Question<'_>, effect: &Effect) -> EffectExplained {
    let judged = rules.judge(question.subject, effect, question.now);
    let world = |world: &World| WorldExplained {
        allowed: world.allowed,
        deciding: ids(rules, &world.deciding),
        broken: ids(rules, &world.broken),
    };
    let seen = judged.as_ref().ok();
    let considered = seen.map_or(0, |judged| judged.considered);
    let as_is = seen.map(|judged| world(&judged.judgement.as_is));
    let as_if_approved = seen.and_then(|judged| judged.judgement.as_if_approved.as_ref()).map(world);
    let part = ruling::part(rules, question.subject, effect, judged.map(|judged| judged.judgement.outcome));
    EffectExplained {
        effect: effect.clone(),
        decision: part.decision.word(),
        policies: part.policies,
        reason: part.reasons.join("; "),
        considered,
        as_is,
        as_if_approved,
    }
}

fn ids(rules: &Rules, numbers: &[usize]) -> Vec<String> {
    numbers.iter().filter_map(|number| rules.list.get(*number)).map(|rule| rule.marks.id.clone()).collect()
}
