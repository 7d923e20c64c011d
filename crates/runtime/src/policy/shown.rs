//! What is in a bundle, for people to read; and bundles that people try out, which decide nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::bundle::Bundle;
use super::problem::PolicyErrors;
use super::{CedarPolicy, compile, prepare};

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Its name within the bundle.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A policy, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPolicy {
    /// Its id.
    pub id: String,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// Its file's name within the bundle.
    pub file: String,
    /// The line that it begins on.
    pub line: usize,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its text.
    pub text: String,
}

/// The bundle that decides.
#[derive(Debug, Clone)]
pub struct ShownBundle {
    /// Its revision.
    pub revision: Arc<str>,
    /// Since when it decides.
    pub loaded: SystemTime,
    /// Its files, by name.
    pub files: Vec<PolicyFile>,
    /// Its policies, by id.
    pub policies: Vec<ShownPolicy>,
}

impl CedarPolicy {
    /// The bundle that decides now.
    pub fn shown(&self) -> ShownBundle {
        let rules = self.current.load();
        let files = rules.sources.iter();
        ShownBundle {
            revision: Arc::clone(&rules.revision),
            loaded: rules.loaded,
            files: files
                .map(|source| PolicyFile { name: self.name(&source.name), text: source.text.to_string() })
                .collect(),
            policies: rules.list.iter().map(|rule| self.shown_rule(rule)).collect(),
        }
    }

    /// Other policies with the words and targets of these, or what is wrong with them.
    pub fn tried(&self, files: &[PolicyFile]) -> Result<Self, PolicyErrors> {
        let rules = prepare(&Bundle::of(files)?, &self.words, &self.targets)?;
        Ok(Self {
            dir: std::path::PathBuf::new(),
            targets: self.targets.clone(),
            words: Arc::clone(&self.words),
            current: ArcSwap::from_pointee(rules),
            failing: Mutex::new(None),
        })
    }

    /// Where a policy of the bundle stands: its file's name within the bundle, its line, and what it does.
    pub fn place(&self, id: &str) -> Option<(String, usize, &'static str)> {
        let rules = self.current.load();
        let rule = rules.list.iter().find(|rule| rule.marks.id == id)?;
        Some((self.name(&rule.file), rule.line, effect(rule)))
    }

    fn shown_rule(&self, rule: &compile::Rule) -> ShownPolicy {
        let annotations = compile::annotations(&rule.policy).into_iter();
        ShownPolicy {
            id: rule.marks.id.clone(),
            effect: effect(rule),
            file: self.name(&rule.file),
            line: rule.line,
            annotations: annotations.map(|(name, annotation)| (name, annotation.value)).collect(),
            text: rule.policy.to_string(),
        }
    }

    /// A file's name within the bundle.
    fn name(&self, file: &str) -> String {
        let path = std::path::Path::new(file);
        path.strip_prefix(&self.dir).unwrap_or(path).display().to_string()
    }
}

fn effect(rule: &compile::Rule) -> &'static str {
    if rule.permits() { "permit" } else { "forbid" }
}
