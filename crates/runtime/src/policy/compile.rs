//! A bundle's texts turned into rules: parsed, validated against the words, or refused whole.
//!
//! It finds everything that is wrong before it gives up; it decides no question.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PolicyId, PolicySet, ResourceConstraint, ValidationMode,
    ValidationWarning, Validator,
};
use portcullis_core::vocabulary::TARGET;

use super::bundle::Bundle;
use super::marks::{self, Annotation, Annotations, Marks};
use super::names;
use super::problem::{PolicyError, PolicyErrors, Source};
use super::reads::Reads;
use super::words::{ActionWord, Words};
use crate::config::nearest;

/// Policies in one bundle.
const MAX_POLICIES: usize = 10_000;

/// One policy, ready to be sliced.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) policy: Policy,
    pub(super) marks: Marks,
    pub(super) reads: Reads,
    pub(super) file: std::sync::Arc<str>,
    pub(super) line: usize,
}

impl Rule {
    pub(super) fn permits(&self) -> bool {
        self.policy.effect() == Effect::Permit
    }

    /// Whether the policy's head leaves room for the action.
    pub(super) fn concerns(&self, action: &ActionWord) -> bool {
        match self.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => uid == action.uid,
            ActionConstraint::In(uids) => uids.iter().any(|uid| action.governed_by.contains(uid)),
        }
    }

    /// Whether the policy's head leaves room for the target.
    pub(super) fn reaches(&self, target: &str) -> bool {
        let (ResourceConstraint::In(uid) | ResourceConstraint::Eq(uid) | ResourceConstraint::IsIn(_, uid)) =
            self.policy.resource_constraint()
        else {
            return true;
        };
        target_of(&uid).is_none_or(|named| named == target)
    }
}

/// Rules in the order of their ids, with what is suspicious about them.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) rules: Vec<Rule>,
    pub(super) warnings: Vec<PolicyError>,
}

/// Compiles a bundle. `targets` are the names of the configured targets.
pub(super) fn compile(bundle: &Bundle, words: &Words, targets: &[String]) -> Result<Compiled, PolicyErrors> {
    let mut errors = Vec::new();
    let mut rules: Vec<(Rule, &Source)> = Vec::new();
    for source in &bundle.sources {
        read(source, &mut rules, &mut errors);
    }
    if rules.len() > MAX_POLICIES {
        errors.push(PolicyError::of_file("", format!("the bundle has more than {MAX_POLICIES} policies")));
    }
    unique(&mut rules, &mut errors);
    let mut warnings = validate(&rules, words, &mut errors);
    for (rule, source) in &rules {
        literals(rule, source, words, targets, &mut errors, &mut warnings);
    }
    if !errors.is_empty() {
        return Err(PolicyErrors::ordered(errors));
    }
    let mut rules: Vec<Rule> = rules.into_iter().map(|(rule, _)| rule).collect();
    rules.sort_by(|one, other| one.marks.id.cmp(&other.marks.id));
    Ok(Compiled { rules, warnings: PolicyErrors::ordered(warnings).0 })
}

/// Reads the policies of one file.
fn read<'s>(source: &'s Source, rules: &mut Vec<(Rule, &'s Source)>, errors: &mut Vec<PolicyError>) {
    let parsed: PolicySet = match source.text.parse() {
        Ok(parsed) => parsed,
        Err(found) => {
            let found: &cedar_policy::ParseErrors = &found;
            errors.extend(found.iter().map(|error| source.cedar(&DetailedError::from(error))));
            return;
        }
    };
    for template in parsed.templates() {
        let at = template.as_ref().loc().map_or(0, |loc| loc.start());
        let error = source.error(at, "a policy with `?principal` or `?resource` is not for this gate");
        errors.push(error.with_help("write the group or the target in its place"));
    }
    for policy in parsed.policies() {
        let at = start(policy);
        let annotations = annotations(policy);
        // Without marks it is still validated, so that all that is wrong is told at once.
        let marks = marks::read(&annotations, at, source, errors).unwrap_or_else(|| Marks {
            id: format!("{}#{at}", source.name),
            reason: None,
            approval: None,
        });
        let policy = policy.new_id(PolicyId::new(&marks.id));
        let (file, line) = (std::sync::Arc::clone(&source.name), source.place(at).0);
        rules.push((Rule { reads: Reads::of(&policy), policy, marks, file, line }, source));
    }
}

/// Where a policy begins in its file.
fn start(policy: &Policy) -> usize {
    policy.as_ref().loc().map_or(0, |loc| loc.start())
}

pub(super) fn annotations(policy: &Policy) -> Annotations {
    let written = policy.as_ref().annotations();
    written
        .map(|(name, annotation)| {
            let at = annotation.loc.as_ref().map_or(0, |loc| loc.start());
            (name.to_string(), Annotation { value: annotation.val.to_string(), at })
        })
        .collect()
}

/// Of several policies with one id, keeps the first and reports the others.
fn unique(rules: &mut Vec<(Rule, &Source)>, errors: &mut Vec<PolicyError>) {
    rules.sort_by_key(|(rule, source)| (source.name.clone(), start(&rule.policy)));
    let mut first: HashMap<String, (std::sync::Arc<str>, usize)> = HashMap::new();
    rules.retain(|(rule, source)| {
        let id = &rule.marks.id;
        let Some((file, line)) = first.get(id) else {
            first.insert(id.clone(), (std::sync::Arc::clone(&rule.file), rule.line));
            return true;
        };
        let at = annotations(&rule.policy).get("id").map_or(0, |annotation| annotation.at);
        errors.push(source.error(at, format!("the id `{id}` is already that of the policy at `{file}:{line}`")));
        false
    });
}

/// Asks Cedar's validator. Its errors go to `errors`, and so do those of its warnings that mean
/// that a policy can never do what it says.
fn validate(rules: &[(Rule, &Source)], words: &Words, errors: &mut Vec<PolicyError>) -> Vec<PolicyError> {
    let policies = match PolicySet::from_policies(rules.iter().map(|(rule, _)| rule.policy.clone())) {
        Ok(policies) => policies,
        Err(error) => {
            errors.push(PolicyError::of_file("", error.to_string()));
            return Vec::new();
        }
    };
    let sources: HashMap<&PolicyId, &Source> = rules.iter().map(|(rule, source)| (rule.policy.id(), *source)).collect();
    let result = Validator::new(words.schema.clone()).validate(&policies, ValidationMode::Strict);
    let told = |id: &PolicyId, finding: &DetailedError| {
        let about = PolicyError::of_file("", finding.message.clone());
        sources.get(id).map_or(about, |source| source.cedar(finding))
    };
    errors.extend(result.validation_errors().map(|error| told(error.policy_id(), &DetailedError::from(error))));
    let mut warnings = Vec::new();
    for warning in result.validation_warnings() {
        let list = if is_harmless(warning) { &mut warnings } else { &mut *errors };
        list.push(told(warning.policy_id(), &DetailedError::from(warning)));
    }
    warnings
}

/// Groups may well be named in several scripts; nothing else that the validator warns of is meant.
const fn is_harmless(warning: &ValidationWarning) -> bool {
    matches!(
        warning,
        ValidationWarning::MixedScriptString(_)
            | ValidationWarning::MixedScriptIdentifier(_)
            | ValidationWarning::ConfusableIdentifier(_)
    )
}

/// Looks at the groups, targets and resources that a policy names.
fn literals(
    rule: &Rule,
    source: &Source,
    words: &Words,
    targets: &[String],
    errors: &mut Vec<PolicyError>,
    warnings: &mut Vec<PolicyError>,
) {
    let named: BTreeSet<EntityUid> = rule.policy.entity_literals().into_iter().collect();
    for uid in named {
        let kind = uid.type_name().to_string();
        let id = uid.id().unescaped();
        if kind == "Group" && !marks::is_prefixed(id) {
            let error =
                here(rule, source, &uid, format!("the group `{id}` has no issuer's prefix, so nobody is in it"));
            errors.push(
                error.with_help(format!("write `Group::\"ISSUER:{id}\"`, with the issuer's name in the configuration")),
            );
        }
        if let Some(levels) = words.kind(&kind).map(|kind| &kind.levels)
            && names::parts(id).len() != levels.len() + 1
        {
            let form: Vec<_> = levels.iter().map(|level| level.to_string().to_lowercase()).collect();
            let error = here(rule, source, &uid, format!("`{uid}` names nothing: it has the wrong number of parts"));
            errors.push(error.with_help(format!("a {} is named `TARGET/{}`", kind.to_lowercase(), form.join("/"))));
        }
        if let Some(target) = target_of(&uid)
            && !targets.is_empty()
            && !targets.contains(&target)
        {
            let warning = here(rule, source, &uid, format!("no target is called `{target}`"));
            warnings.push(match nearest(&target, targets.iter().map(String::as_str)) {
                Some(meant) => warning.with_help(format!("did you mean `{meant}`?")),
                None => warning,
            });
        }
    }
}

/// An error at the place where the policy names `uid`.
fn here(rule: &Rule, source: &Source, uid: &EntityUid, message: String) -> PolicyError {
    let begin = start(&rule.policy);
    let written = uid.to_string();
    let found = source.text.get(begin..).and_then(|text| text.find(&written));
    source.error(begin + found.unwrap_or(0), message)
}

/// The target that an entity is or lies in; `None` for what is in no target.
fn target_of(uid: &EntityUid) -> Option<String> {
    match uid.type_name().to_string().as_str() {
        TARGET => Some(uid.id().unescaped().to_owned()),
        "Group" | "Label" | "User" | "Workload" | "Action" => None,
        _ => names::parts(uid.id().unescaped()).into_iter().next(),
    }
}
