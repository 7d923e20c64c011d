//! The policy port: the question that is put for every operation, and the ruling that answers it.
//!
//! A policy is pure, synchronous and total: it reads the question and a snapshot of its rules, and
//! an error on its side is a Deny with a reason. How rules are written is the adapter's business.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use serde::Serialize;

use crate::identity::{Identity, Kind};
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
    digest: [u8; 32],
}

impl Subject {
    /// Puts together what policy may know of a session. Costs a SHA-256, once a session.
    pub fn new(
        identity: Identity,
        target: String,
        labels: Vec<(String, String)>,
        family: &'static str,
        client: IpAddr,
        application: String,
        opened: SystemTime,
    ) -> Self {
        let mut subject = Self { identity, target, labels, family, client, application, opened, digest: [0; 32] };
        subject.digest = subject.sum();
        subject
    }

    /// SHA-256 over all that policy may read of this session except its age: caches key decisions
    /// by it. Sessions of one identity on one target from one address share it, whatever token
    /// they came with.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn sum(&self) -> [u8; 32] {
        let mut sum = digest::Context::new(&digest::SHA256);
        let identity = &self.identity;
        let kind = match identity.kind {
            Kind::User => "user",
            Kind::Workload => "workload",
        };
        let client = self.client.to_string();
        let email = identity.email.as_deref().unwrap_or_default();
        let texts =
            [&identity.issuer, &identity.subject, kind, email, &self.target, self.family, &client, &self.application];
        for text in texts {
            add(&mut sum, text);
        }
        for list in [&identity.groups, &identity.actors] {
            sum.update(&(list.len() as u64).to_be_bytes());
            list.iter().for_each(|text| add(&mut sum, text));
        }
        sum.update(&(self.labels.len() as u64).to_be_bytes());
        for (name, value) in &self.labels {
            add(&mut sum, name);
            add(&mut sum, value);
        }
        let mut out = [0; 32];
        out.copy_from_slice(sum.finish().as_ref());
        out
    }
}

/// Adds a text with its length before it, so that no two lists of texts have the same bytes.
fn add(sum: &mut digest::Context, text: &str) {
    sum.update(&(text.len() as u64).to_be_bytes());
    sum.update(text.as_bytes());
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
    /// How many distinct humans must say yes for each entry.
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

    /// Decides, and says whether the same question gets the same answer for as long as the ruling's
    /// revision is in use. Where that is not known, the answer holds for this moment alone.
    fn decide_lasting(&self, question: &Question<'_>) -> (Arc<Ruling>, bool) {
        (self.decide(question), false)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn subject(change: impl FnOnce(&mut Identity), labels: &[(&str, &str)], application: &str) -> Subject {
        let mut identity = Identity {
            issuer: String::from("https://id.example.com"),
            subject: String::from("dana"),
            kind: Kind::User,
            groups: vec![String::from("okta:vendors")],
            email: None,
            actors: Vec::new(),
            token: None,
            authenticated: None,
            expires: SystemTime::UNIX_EPOCH,
        };
        change(&mut identity);
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let client = Ipv4Addr::LOCALHOST.into();
        let target = String::from("shop");
        Subject::new(identity, target, labels, "sql", client, application.to_owned(), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn digest_tells_apart_all_that_policy_may_read() {
        let subjects = [
            subject(|_| {}, &[], ""),
            subject(|_| {}, &[], "psql"),
            subject(|_| {}, &[("a", "bc")], ""),
            subject(|_| {}, &[("ab", "c")], ""),
            subject(|identity| identity.kind = Kind::Workload, &[], ""),
            subject(|identity| identity.groups.clear(), &[], ""),
            subject(|identity| identity.actors = std::mem::take(&mut identity.groups), &[], ""),
            subject(|identity| identity.email = Some(String::from("dana@example.com")), &[], ""),
            subject(|identity| identity.issuer = String::from("https://other.example.com"), &[], ""),
        ];
        let digests: std::collections::BTreeSet<_> = subjects.iter().map(|subject| *subject.digest()).collect();
        assert_eq!(digests.len(), subjects.len());
    }

    #[test]
    fn digest_is_the_same_for_another_token_of_the_same_identity() {
        let renewed = subject(|identity| identity.token = Some(String::from("jti-2")), &[], "");
        assert_eq!(renewed.digest(), subject(|_| {}, &[], "").digest());
    }
}
