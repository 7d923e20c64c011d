//! From outcomes to one ruling: the strictest effect wins, reasons are joined, terms combined.
//!
//! It does not know how outcomes were found.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::operation::Effect;
use portcullis_core::policy::{Decision, Ruling, Subject, Terms};
use portcullis_core::vocabulary::TARGET;

use super::compile::Rule;
use super::entities::Unaskable;
use super::marks::DEFAULT_TTL;
use super::names;
use super::rules::Rules;
use super::worlds::Outcome;

/// Different reasons that one ruling gives.
const MAX_REASONS: usize = 8;

/// What one effect adds to the ruling.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) decision: Decision,
    pub(super) policies: Vec<String>,
    pub(super) reasons: Vec<String>,
}

/// A Deny that no policy decided.
pub(super) fn refused(why: &str, revision: &Arc<str>) -> Ruling {
    let reason = why.to_owned();
    Ruling { decision: Decision::Deny, policies: Vec::new(), reason, revision: Arc::clone(revision) }
}

/// What becomes of one effect, in words.
pub(super) fn part(rules: &Rules, subject: &Subject, effect: &Effect, outcome: Result<Outcome, Unaskable>) -> Part {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => return deny(Vec::new(), vec![why.to_string()]),
    };
    let pick = |numbers: &[usize]| numbers.iter().filter_map(|number| rules.list.get(*number)).collect::<Vec<_>>();
    match outcome {
        Outcome::Allow(by) => {
            let by = pick(&by);
            Part { decision: Decision::Allow, policies: ids(&by), reasons: reasons(&by, "permitted by policy") }
        }
        Outcome::AskFirst { forbids, permits } => ask_first(&pick(&forbids), &pick(&permits)),
        Outcome::Deny(by) if by.is_empty() => deny(Vec::new(), vec![unpermitted(subject, effect)]),
        Outcome::Deny(by) => {
            let by = pick(&by);
            deny(ids(&by), reasons(&by, "forbidden by policy"))
        }
        Outcome::Broken(by) => {
            let by = pick(&by);
            let broken = by.iter().map(|rule| format!("policy `{}` could not be evaluated", rule.marks.id)).collect();
            deny(ids(&by), broken)
        }
    }
}

/// One ruling for all effects of an operation.
pub(super) fn join(parts: Vec<Part>, revision: &Arc<str>) -> Ruling {
    let strictest = parts.iter().map(|part| rank(&part.decision)).max().unwrap_or(DENY);
    let mut decision = None;
    let mut policies = BTreeSet::new();
    let mut reasons = Vec::new();
    for part in parts.into_iter().filter(|part| rank(&part.decision) == strictest) {
        policies.extend(part.policies);
        for reason in part.reasons {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        decision = Some(match (decision, part.decision) {
            (Some(Decision::AskFirst(one)), Decision::AskFirst(other)) => Decision::AskFirst(both(one, other)),
            (_, decision) => decision,
        });
    }
    Ruling {
        decision: decision.unwrap_or(Decision::Deny),
        policies: policies.into_iter().collect(),
        reason: sentence(&reasons),
        revision: Arc::clone(revision),
    }
}

const DENY: u8 = 2;

const fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Allow => 0,
        Decision::AskFirst(_) => 1,
        Decision::Deny => DENY,
    }
}

const fn deny(policies: Vec<String>, reasons: Vec<String>) -> Part {
    Part { decision: Decision::Deny, policies, reasons }
}

/// Every forbid must be lifted by its own groups; any one of the permits is enough.
fn ask_first(forbids: &[&Rule], permits: &[&Rule]) -> Part {
    let mut terms: Option<Terms> = None;
    let mut add = |groups: Vec<String>, quorum: u32, ttl: Duration| {
        let more = Terms { groups: vec![groups], quorum, ttl };
        terms = Some(match terms.take() {
            Some(terms) => both(terms, more),
            None => more,
        });
    };
    for approval in forbids.iter().filter_map(|rule| rule.marks.approval.as_ref()) {
        add(approval.groups.clone(), approval.quorum, approval.ttl);
    }
    let grants: Vec<_> = permits.iter().filter_map(|rule| rule.marks.approval.as_ref()).collect();
    if !grants.is_empty() {
        let groups: BTreeSet<String> = grants.iter().flat_map(|approval| approval.groups.iter().cloned()).collect();
        let quorum = grants.iter().map(|approval| approval.quorum).max().unwrap_or(1);
        let ttl = grants.iter().map(|approval| approval.ttl).min().unwrap_or(DEFAULT_TTL);
        add(groups.into_iter().collect(), quorum, ttl);
    }
    let by: Vec<&Rule> = forbids.iter().chain(permits).copied().collect();
    match terms {
        Some(terms) => {
            let decision = Decision::AskFirst(terms);
            Part { decision, policies: ids(&by), reasons: reasons(&by, "approval is asked for by policy") }
        }
        // Nobody could be asked, so nobody can say yes.
        None => deny(ids(&by), vec![String::from("approval is needed and no policy says whose")]),
    }
}

/// Terms that satisfy both: every group entry, the larger quorum, the shorter time.
fn both(mut one: Terms, other: Terms) -> Terms {
    for groups in other.groups {
        if !one.groups.contains(&groups) {
            one.groups.push(groups);
        }
    }
    one.quorum = one.quorum.max(other.quorum);
    one.ttl = one.ttl.min(other.ttl);
    one
}

fn ids(rules: &[&Rule]) -> Vec<String> {
    rules.iter().map(|rule| rule.marks.id.clone()).collect()
}

fn reasons(rules: &[&Rule], otherwise: &str) -> Vec<String> {
    let reason = |rule: &&Rule| rule.marks.reason.clone().unwrap_or_else(|| format!("{otherwise} `{}`", rule.marks.id));
    rules.iter().map(reason).collect()
}

fn unpermitted(subject: &Subject, effect: &Effect) -> String {
    let path = if effect.resource.kind == TARGET {
        names::shown([subject.target.as_str()])
    } else {
        names::shown(effect.resource.path.iter().map(|part| &**part))
    };
    format!("no policy permits `{}` on `{path}`", effect.action)
}

fn sentence(reasons: &[String]) -> String {
    let told: Vec<&str> = reasons.iter().take(MAX_REASONS).map(String::as_str).collect();
    match reasons.len().saturating_sub(MAX_REASONS) {
        0 => told.join("; "),
        more => format!("{}; and {more} more reasons", told.join("; ")),
    }
}
