//! A compiled bundle that answers questions: slices by target and action, subjects, the cache.
//!
//! It never changes; a reload makes another one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_core::operation::Effect;
use portcullis_core::policy::{Question, Ruling, Subject};

use super::bundle::Bundle;
use super::cache::Cache;
use super::compile::{Compiled, Rule};
use super::entities::{self, Known, Types, Unaskable};
use super::problem::{PolicyError, PolicyErrors, Source};
use super::ruling;
use super::words::{ActionWord, Words};
use super::worlds::{Judgement, Slice};

/// Effects of one operation that are judged; more is a Deny, so that one statement cannot hold
/// the gate's processor.
const MAX_EFFECTS: usize = 1_000;
/// Rulings that are remembered.
const MAX_RULINGS: usize = 16_384;
/// Subjects whose entities are remembered.
const MAX_SUBJECTS: usize = 4_096;

/// Slices by the action's name.
type ByAction = HashMap<&'static str, Arc<Slice>>;

/// A compiled bundle.
pub(super) struct Rules {
    pub(super) revision: Arc<str>,
    pub(super) loaded: SystemTime,
    pub(super) sources: Vec<Source>,
    /// In the order of their ids.
    pub(super) list: Vec<Rule>,
    pub(super) warnings: Vec<PolicyError>,
    words: Arc<Words>,
    types: Types,
    by_target: HashMap<String, ByAction>,
    /// For targets that the configuration does not name.
    elsewhere: ByAction,
    subjects: Cache<Arc<Known>>,
    rulings: Cache<Arc<Ruling>>,
}

/// How one effect was judged.
pub(super) struct Judged {
    pub(super) judgement: Judgement,
    /// How many policies were asked.
    pub(super) considered: usize,
    /// Whether the same question gets the same answer as long as the bundle is in use.
    pub(super) lasts: bool,
}

impl Rules {
    pub(super) fn new(
        bundle: &Bundle,
        compiled: Compiled,
        words: Arc<Words>,
        targets: &[String],
    ) -> Result<Self, PolicyErrors> {
        let failed = |error: String| PolicyErrors::from(PolicyError::of_file("", error));
        let types = Types::new().map_err(|error| failed(error.to_string()))?;
        let list = compiled.rules;
        let mut slicer = Slicer { rules: &list, made: HashMap::new() };
        let mut by_target = HashMap::new();
        for target in targets {
            by_target.insert(target.clone(), slicer.by_action(&words, Some(target)).map_err(failed)?);
        }
        let elsewhere = slicer.by_action(&words, None).map_err(failed)?;
        Ok(Self {
            revision: Arc::clone(&bundle.revision),
            loaded: SystemTime::now(),
            sources: bundle.sources.clone(),
            list,
            warnings: compiled.warnings,
            words,
            types,
            by_target,
            elsewhere,
            subjects: Cache::new(MAX_SUBJECTS),
            rulings: Cache::new(MAX_RULINGS),
        })
    }

    /// Decides, from memory where the same was asked before, and says whether the answer lasts as
    /// long as the bundle.
    pub(super) fn decide(&self, question: &Question<'_>) -> (Arc<Ruling>, bool) {
        let key = [*question.subject.digest(), *question.effects.digest()];
        if let Some(ruling) = self.rulings.get(&key) {
            return (ruling, true);
        }
        let (ruling, lasts) = self.rule(question);
        let ruling = Arc::new(ruling);
        if lasts {
            self.rulings.put(key, Arc::clone(&ruling));
        }
        (ruling, lasts)
    }

    /// Decides, and says whether the answer lasts as long as the bundle.
    fn rule(&self, question: &Question<'_>) -> (Ruling, bool) {
        let effects = question.effects.list();
        if effects.is_empty() {
            return (ruling::refused("nothing is known of what this operation does", &self.revision), true);
        }
        if effects.len() > MAX_EFFECTS {
            let why = format!("the operation does more than {MAX_EFFECTS} things at once");
            return (ruling::refused(&why, &self.revision), true);
        }
        let mut lasts = true;
        let mut parts = Vec::with_capacity(effects.len());
        for effect in effects {
            let judged = self.judge(question.subject, effect, question.now);
            lasts &= judged.as_ref().is_ok_and(|judged| judged.lasts);
            parts.push(ruling::part(self, question.subject, effect, judged.map(|judged| judged.judgement.outcome)));
        }
        (ruling::join(parts, &self.revision), lasts)
    }

    /// Judges one effect in both worlds.
    pub(super) fn judge(&self, subject: &Subject, effect: &Effect, now: SystemTime) -> Result<Judged, Unaskable> {
        let action = self.action(effect)?;
        let slice = self.slice(&subject.target, action.name)?;
        let context = entities::context(action, effect, subject, now, &slice.reads)?;
        let known = self.known(subject)?;
        let (request, entities) = known.ask(&self.words, action, effect, context, &subject.target)?;
        // A policy whose head is about others has its condition never looked at.
        let lasts = !slice.changing.iter().any(|head| known.may_be_meant(head));
        Ok(Judged { judgement: slice.judge(&request, &entities), considered: slice.len(), lasts })
    }

    fn action(&self, effect: &Effect) -> Result<&ActionWord, Unaskable> {
        let name = effect.action.name();
        let action = self.words.actions.get(name).ok_or(Unaskable::Action(name))?;
        if !action.applies_to.contains(&effect.resource.kind) {
            return Err(Unaskable::Resource { action: name, kind: effect.resource.kind });
        }
        Ok(action)
    }

    fn slice(&self, target: &str, action: &'static str) -> Result<&Arc<Slice>, Unaskable> {
        let by_action = self.by_target.get(target).unwrap_or(&self.elsewhere);
        by_action.get(action).ok_or(Unaskable::Action(action))
    }

    fn known(&self, subject: &Subject) -> Result<Arc<Known>, Unaskable> {
        let key = [*subject.digest(), [0; 32]];
        if let Some(known) = self.subjects.get(&key) {
            return Ok(known);
        }
        let known = Arc::new(Known::new(&self.types, subject)?);
        self.subjects.put(key, Arc::clone(&known));
        Ok(known)
    }
}

/// Makes slices; equal ones are made once.
struct Slicer<'r> {
    rules: &'r [Rule],
    made: HashMap<Vec<usize>, Arc<Slice>>,
}

impl Slicer<'_> {
    fn by_action(&mut self, words: &Words, target: Option<&str>) -> Result<ByAction, String> {
        let mut slices = ByAction::new();
        for action in words.actions.values() {
            let concerned = self
                .rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| rule.concerns(action) && target.is_none_or(|target| rule.reaches(target)));
            let numbers: Vec<usize> = concerned.map(|(number, _)| number).collect();
            slices.insert(action.name, self.slice(numbers)?);
        }
        Ok(slices)
    }

    fn slice(&mut self, numbers: Vec<usize>) -> Result<Arc<Slice>, String> {
        if let Some(slice) = self.made.get(&numbers) {
            return Ok(Arc::clone(slice));
        }
        let mut slice = Slice::default();
        for number in &numbers {
            if let Some(rule) = self.rules.get(*number) {
                let marked = rule.marks.approval.is_some();
                slice.add(&rule.policy, *number, marked, &rule.reads).map_err(|error| error.to_string())?;
            }
        }
        let slice = Arc::new(slice);
        self.made.insert(numbers, Arc::clone(&slice));
        Ok(slice)
    }
}
