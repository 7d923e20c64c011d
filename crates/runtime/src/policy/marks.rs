//! What a policy's annotations say: its id, its reason, and what an approval needs.
//!
//! It does not know what the policy permits or forbids.

use std::collections::BTreeMap;
use std::time::Duration;

use super::problem::{PolicyError, Source};
use crate::config::{duration, nearest};

/// How long an ask stays open where `@ttl` does not say.
pub(super) const DEFAULT_TTL: Duration = Duration::from_secs(15 * 60);
/// The longest that an ask may stay open: a client holds a connection for it.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// The most humans that one policy may ask for.
const MAX_QUORUM: u32 = 10;
/// Annotations that mean something.
const KNOWN: [&str; 5] = ["id", "reason", "approval", "quorum", "ttl"];

/// What a policy's annotations say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) id: String,
    pub(super) reason: Option<String>,
    /// Present where the policy counts in one of the two worlds only.
    pub(super) approval: Option<Approval>,
}

/// What an approval by `@approval`, `@quorum` and `@ttl` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Approval {
    /// Members of any of these may say yes.
    pub(super) groups: Vec<String>,
    pub(super) quorum: u32,
    pub(super) ttl: Duration,
}

/// One annotation as written: its value, and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Annotation {
    pub(super) value: String,
    pub(super) at: usize,
}

/// A policy's annotations by name.
pub(super) type Annotations = BTreeMap<String, Annotation>;

/// Reads the annotations of the policy that begins at `at`. What is wrong with them goes to
/// `errors`; without an id there are no marks.
pub(super) fn read(
    annotations: &Annotations,
    at: usize,
    source: &Source,
    errors: &mut Vec<PolicyError>,
) -> Option<Marks> {
    for (name, annotation) in annotations.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
        let error = source.error(annotation.at, format!("unknown annotation `@{name}`"));
        errors.push(match nearest(name, KNOWN) {
            Some(meant) => error.with_help(format!("did you mean `@{meant}`?")),
            None => error.with_help("known are `@id`, `@reason`, `@approval`, `@quorum` and `@ttl`"),
        });
    }
    let mut reader = Reader { annotations, source, errors };
    let approval = reader.approval();
    let reason = reader.text("reason").map(str::to_owned);
    if !annotations.contains_key("id") {
        let error = source.error(at, "a policy needs an `@id`");
        reader.errors.push(error.with_help("write `@id(\"a-name-for-this-rule\")` above it"));
    }
    let id = reader.text("id")?.to_owned();
    Some(Marks { id, reason, approval })
}

struct Reader<'a> {
    annotations: &'a Annotations,
    source: &'a Source,
    errors: &'a mut Vec<PolicyError>,
}

impl<'a> Reader<'a> {
    fn wrong(&mut self, annotation: &Annotation, message: impl Into<String>) {
        self.errors.push(self.source.error(annotation.at, message));
    }

    /// The value of an annotation that must say something.
    fn text(&mut self, name: &str) -> Option<&'a str> {
        let annotation = self.annotations.get(name)?;
        let value = annotation.value.trim();
        if value.is_empty() {
            self.wrong(annotation, format!("`@{name}` is empty"));
            return None;
        }
        if value.chars().any(char::is_control) {
            self.wrong(annotation, format!("`@{name}` holds control characters"));
            return None;
        }
        Some(value)
    }

    fn approval(&mut self) -> Option<Approval> {
        let Some(annotation) = self.annotations.get("approval") else {
            for name in ["quorum", "ttl"] {
                if let Some(annotation) = self.annotations.get(name) {
                    self.wrong(annotation, format!("`@{name}` means nothing without `@approval`"));
                }
            }
            return None;
        };
        let mut groups: Vec<String> = Vec::new();
        for group in self.text("approval")?.split([',', ' ']).filter(|group| !group.is_empty()) {
            if !is_prefixed(group) {
                self.wrong(annotation, format!("the group `{group}` has no issuer's prefix, so nobody is in it"));
            }
            if !groups.iter().any(|known| known == group) {
                groups.push(group.to_owned());
            }
        }
        if groups.is_empty() {
            self.wrong(annotation, "`@approval` names no group");
        }
        Some(Approval { groups, quorum: self.quorum(), ttl: self.ttl() })
    }

    fn quorum(&mut self) -> u32 {
        let Some(annotation) = self.annotations.get("quorum") else { return 1 };
        let quorum = annotation.value.parse().ok().filter(|quorum| (1..=MAX_QUORUM).contains(quorum));
        quorum.unwrap_or_else(|| {
            let message = format!("`@quorum` is a whole number from 1 to {MAX_QUORUM}, not `{}`", annotation.value);
            self.wrong(annotation, message);
            1
        })
    }

    fn ttl(&mut self) -> Duration {
        let Some(annotation) = self.annotations.get("ttl") else { return DEFAULT_TTL };
        let ttl = duration::parse(&annotation.value).filter(|ttl| (Duration::from_secs(1)..=MAX_TTL).contains(ttl));
        ttl.unwrap_or_else(|| {
            let message = format!("`@ttl` is a duration from `1s` to `24h`, not `{}`", annotation.value);
            self.wrong(annotation, message);
            DEFAULT_TTL
        })
    }
}

/// Whether a group carries the name of its issuer: `okta:dba`.
pub(super) fn is_prefixed(group: &str) -> bool {
    group.split_once(':').is_some_and(|(issuer, name)| !issuer.is_empty() && !name.is_empty())
}
