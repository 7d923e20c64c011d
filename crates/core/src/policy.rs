//! The policy port: the question that is put for every operation, and the ruling that answers it.
//!
//! A policy is pure, synchronous and total: it reads the question and a snapshot of its rules, and
//! an error on its side is a Deny with a reason. How rules are written is the adapter's business.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::identity::Identity;
use crate::operation::Effects;

/// What a policy is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks, and over which session.
    pub subject: &'a Subject,
    /// What the operation would do.
    pub effects: &'a Effects,
    /// The wall clock.
    pub now: SystemTime,
}

/// One session as policy sees it: fixed when the session opens.
#[derive(Debug)]
pub struct Subject {
    /// The verified identity.
    pub identity: Identity,
    /// The target's configured name.
    pub target: String,
    /// The target's labels.
    pub labels: Vec<(String, String)>,
    /// The protocol's vocabulary family: `sql`.
    pub family: &'static str,
    /// The client's address.
    pub client: IpAddr,
    /// The application name that the client gave; not proven by anything.
    pub application: String,
    /// When the session opened.
    pub opened: SystemTime,
}

/// What policy decides about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go on.
    Allow,
    /// It may go on once humans have said yes.
    AskFirst(Terms),
    /// It may not.
    Deny,
}

impl Decision {
    /// The word for records and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::AskFirst(_) => "ask-first",
            Self::Deny => "deny",
        }
    }
}

/// What an approval needs: who, how many, how soon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Each entry must be satisfied by members of one of its groups.
    pub groups: Vec<Vec<String>>,
    /// How many distinct humans must say yes.
    pub quorum: u32,
    /// How long the ask stays open.
    pub ttl: Duration,
}

/// A decision with what led to it. Shared, because a repeated operation gets the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The decision.
    pub decision: Decision,
    /// Ids of the policies that decided, in order of their names; empty for a default deny.
    pub policies: Vec<String>,
    /// Why, for people: the `@reason` of what decided, or a plain sentence.
    pub reason: String,
    /// The revision of the bundle that was asked.
    pub revision: Arc<str>,
}

/// The port that decides.
pub trait Policy: Send + Sync {
    /// Decides. Never fails: whatever goes wrong is a Deny that says so.
    fn decide(&self, question: &Question<'_>) -> Arc<Ruling>;
}
