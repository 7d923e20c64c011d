//! The Cedar adapter of core's policy port: bundles of `.cedar` files that decide operations.
//!
//! It knows the vocabularies that it is given and no protocol. The rule in one sentence: a policy
//! marked `@approval` counts only in one of two worlds, a permit when approved, a forbid when not.

mod asked;
mod bundle;
mod cache;
mod check;
mod compile;
mod config;
mod entities;
mod explain;
mod marks;
mod names;
mod problem;
mod reads;
mod recorded;
mod rules;
mod ruling;
mod shown;
mod table;
#[cfg(test)]
mod tests;
mod watch;
mod words;
mod worlds;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use portcullis_core::policy::{Policy, Question, Ruling};
use portcullis_core::vocabulary::Vocabulary;

pub use asked::{Asked, AskedEffect, Who};
pub use check::{Checked, PolicySummary, check, schema_text};
pub use config::PolicyConfig;
pub use explain::{EffectExplained, Explanation, WorldExplained};
pub use problem::{PolicyError, PolicyErrors};
pub use recorded::{Changed, RecordedEffect, RecordedResource, Replay, Replayed};
pub use shown::{PolicyFile, ShownBundle, ShownPolicy};
pub use table::{CaseReport, TestReport, test};
pub use watch::Watch;

use bundle::Bundle;
use rules::Rules;
use words::Words;

/// Policies from a folder. Each question is answered by the bundle of now; a bundle with an error
/// is never used.
pub struct CedarPolicy {
    dir: PathBuf,
    targets: Vec<String>,
    words: Arc<Words>,
    current: ArcSwap<Rules>,
    failing: Mutex<Option<PolicyErrors>>,
}

impl std::fmt::Debug for CedarPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CedarPolicy")
            .field("dir", &self.dir)
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

/// How the policies are doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyHealth {
    /// The revision that decides now.
    pub revision: Arc<str>,
    /// What is wrong with the folder's present content, which is therefore not used.
    pub failing: Option<PolicyErrors>,
}

impl CedarPolicy {
    /// Reads and validates the bundle in `dir`. `targets` are the names of the configured targets:
    /// policies are sliced by them, and a policy that names another one gets a warning.
    pub fn load(dir: &Path, vocabularies: &[&'static Vocabulary], targets: &[String]) -> Result<Self, PolicyErrors> {
        let words = Arc::new(Words::new(vocabularies)?);
        let rules = prepare(&Bundle::read(dir)?, &words, targets)?;
        for warning in &rules.warnings {
            tracing::warn!(%warning, "a policy may not do what it seems to");
        }
        tracing::info!(revision = %rules.revision, policies = rules.list.len(), "policies are loaded");
        Ok(Self {
            dir: dir.to_owned(),
            targets: targets.to_vec(),
            words,
            current: ArcSwap::from_pointee(rules),
            failing: Mutex::new(None),
        })
    }

    /// Reads the folder again. A good bundle is used from the next operation on; of a bad one all
    /// that is wrong is returned, and the one before stays. Tells whether anything changed.
    pub fn reload(&self) -> Result<bool, PolicyErrors> {
        self.adopt(Bundle::read(&self.dir))
    }

    /// The revision that decides now: the start of the bundle's SHA-256.
    pub fn revision(&self) -> Arc<str> {
        Arc::clone(&self.current.load().revision)
    }

    /// How the policies are doing.
    pub fn health(&self) -> PolicyHealth {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        PolicyHealth { revision: self.revision(), failing }
    }

    /// Uses a bundle if it is good; logs whatever came of it.
    fn adopt(&self, read: Result<Bundle, PolicyErrors>) -> Result<bool, PolicyErrors> {
        let before = self.revision();
        let prepared = match read {
            Ok(bundle) if bundle.revision == before => Ok(None),
            Ok(bundle) => prepare(&bundle, &self.words, &self.targets).map(Some),
            Err(errors) => Err(errors),
        };
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match prepared {
            Ok(None) => {
                if failing.take().is_some() {
                    tracing::info!(revision = %before, "the policies in use are those in the folder again");
                }
                Ok(false)
            }
            Ok(Some(rules)) => {
                tracing::info!(revision = %rules.revision, %before, policies = rules.list.len(), "policies are reloaded");
                self.current.store(Arc::new(rules));
                *failing = None;
                Ok(true)
            }
            Err(errors) => {
                tracing::error!(revision = %before, %errors, "the new policies are not used; the ones before stay");
                *failing = Some(errors.clone());
                Err(errors)
            }
        }
    }
}

impl Policy for CedarPolicy {
    fn decide(&self, question: &Question<'_>) -> Arc<Ruling> {
        self.current.load().decide(question).0
    }

    fn decide_lasting(&self, question: &Question<'_>) -> (Arc<Ruling>, bool) {
        self.current.load().decide(question)
    }
}

fn prepare(bundle: &Bundle, words: &Arc<Words>, targets: &[String]) -> Result<Rules, PolicyErrors> {
    let compiled = compile::compile(bundle, words, targets)?;
    Rules::new(bundle, compiled, Arc::clone(words), targets)
}
