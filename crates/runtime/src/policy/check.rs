//! Validates a bundle without using it, and tells what is in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::vocabulary::Vocabulary;
use serde::Serialize;

use super::bundle::Bundle;
use super::compile::{Rule, compile};
use super::problem::{PolicyError, PolicyErrors};
use super::words::Words;

/// A bundle that is good.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its revision.
    pub revision: Arc<str>,
    /// Its policies, by their ids.
    pub policies: Vec<PolicySummary>,
    /// What is suspicious and yet allowed.
    pub warnings: Vec<PolicyError>,
}

/// One policy in a sentence's worth of data.
#[derive(Debug, Serialize)]
pub struct PolicySummary {
    /// Its id.
    pub id: String,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// The file that it is in.
    pub file: Arc<str>,
    /// The line that it begins on.
    pub line: usize,
    /// Why it is there, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Groups whose members may approve; empty where it is not marked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approval: Vec<String>,
    /// How many must approve, where it is marked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// How long an ask stays open, where it is marked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

/// Validates the bundle in `dir`. `targets` are the names of the configured targets; none means
/// that they are not known.
pub fn check(dir: &Path, vocabularies: &[&'static Vocabulary], targets: &[String]) -> Result<Checked, PolicyErrors> {
    let words = Words::new(vocabularies)?;
    let bundle = Bundle::read(dir)?;
    let compiled = compile(&bundle, &words, targets)?;
    let policies = compiled.rules.iter().map(summary).collect();
    Ok(Checked { revision: bundle.revision, policies, warnings: compiled.warnings })
}

/// The schema that policies are validated against, as Cedar writes it: for editors and for people.
pub fn schema_text(vocabularies: &[&'static Vocabulary]) -> Result<String, PolicyErrors> {
    Ok(Words::new(vocabularies)?.text)
}

fn summary(rule: &Rule) -> PolicySummary {
    let approval = rule.marks.approval.as_ref();
    PolicySummary {
        id: rule.marks.id.clone(),
        effect: if rule.permits() { "permit" } else { "forbid" },
        file: Arc::clone(&rule.file),
        line: rule.line,
        reason: rule.marks.reason.clone(),
        approval: approval.map(|approval| approval.groups.clone()).unwrap_or_default(),
        quorum: approval.map(|approval| approval.quorum),
        ttl: approval.map(|approval| approval.ttl),
    }
}
