//! The port to the policies: what decides now, and what would be decided otherwise. The control plane does
//! not know their language.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A file of policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShownPolicy {
    /// Its id.
    pub id: String,
    /// The file that it is in.
    pub file: String,
    /// The line that it begins on.
    pub line: usize,
    /// `permit` or `forbid`.
    pub effect: String,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its text.
    pub text: String,
}

/// The policies that decide now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Bundle {
    /// What names exactly these policies.
    pub revision: String,
    /// Since when they decide (RFC 3339).
    pub loaded_at: String,
    /// Their files.
    pub files: Vec<PolicyFile>,
    /// Each policy.
    pub policies: Vec<ShownPolicy>,
}

/// Something that is wrong with policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// The file; empty where it is about none.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// Who would ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asker {
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's name for them.
    pub subject: String,
    /// Their groups, with their issuer's prefix.
    pub groups: Vec<String>,
    /// The verified e-mail address.
    pub email: Option<String>,
    /// `user` or `workload`.
    pub kind: String,
}

/// A question to the policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Who would ask.
    pub identity: Asker,
    /// On which target.
    pub target: String,
    /// The action.
    pub action: String,
    /// What it would be done to, from below the target downwards.
    #[serde(default)]
    pub resource: Vec<String>,
    /// What would be known of it.
    #[serde(default)]
    pub facts: BTreeMap<String, Value>,
}

/// A policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Deciding {
    /// Its id.
    pub id: String,
    /// The file that it is in.
    pub file: String,
    /// The line that it begins on.
    pub line: usize,
    /// `permit` or `forbid`.
    pub effect: String,
    /// Its reason.
    pub reason: String,
}

/// What an approval would need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Needed {
    /// Of each of these sets of groups.
    pub groups: Vec<Vec<String>>,
    /// So many humans.
    pub quorum: u32,
    /// Within so many seconds.
    pub ttl_s: u64,
}

/// What would be decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Explained {
    /// `allow`, `ask-first` or `deny`.
    pub decision: String,
    /// The policies that decide.
    pub policies: Vec<Deciding>,
    /// Why.
    pub reason: String,
    /// What an approval would need, where it is asked for.
    pub ask: Option<Needed>,
}

/// What one event of a session came to under other policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// No decision.
    Nothing,
    /// A decision that would be the same.
    Same,
    /// One that would not.
    Changed(Box<Changed>),
}

/// An operation that would be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Changed {
    /// Its session.
    pub session: String,
    /// Its number there.
    pub op: u64,
    /// When (RFC 3339).
    pub at: String,
    /// What was asked.
    pub statement: String,
    /// How it was decided.
    pub was: String,
    /// How it would be.
    pub now: String,
    /// By which policies.
    pub policies: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Decides the events of one session anew.
pub trait Replay {
    /// Takes the next event of a session, as it is recorded.
    fn take(&mut self, session: &str, at: u64, json: &str) -> Replayed;
}

/// Policies that somebody tries.
pub trait Tried: Send + Sync {
    /// For one session.
    fn replay(&self) -> Box<dyn Replay + '_>;
}

/// The port.
pub trait Policies: Send + Sync {
    /// The policies that decide now.
    fn bundle(&self) -> Bundle;

    /// Other policies, or what is wrong with them.
    fn try_out(&self, files: Vec<PolicyFile>) -> Result<Box<dyn Tried>, Vec<Problem>>;

    /// What would be decided; an error says what is wrong with the question.
    fn explain(&self, asked: Asked) -> Result<Explained, String>;
}
