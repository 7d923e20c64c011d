//! Which parts of the context a policy reads: what need not be built, and what may be remembered.
//!
//! Where the form of a policy leaves doubt, it reads everything.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

/// Facts that change while a session lasts and its statements repeat.
const CHANGING: [&str; 2] = ["session_age", "time"];

/// Names that a policy, or several, read from the context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reads {
    everything: bool,
    names: BTreeSet<String>,
}

impl Reads {
    /// What `policy` reads.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut reads = Self::default();
        match policy.to_json() {
            Ok(json) => reads.walk(&json),
            Err(_) => reads.everything = true,
        }
        reads
    }

    /// All that there is.
    #[cfg(test)]
    pub(super) fn everything() -> Self {
        Self { everything: true, names: BTreeSet::new() }
    }

    /// Adds what another policy reads.
    pub(super) fn join(&mut self, other: &Self) {
        self.everything |= other.everything;
        self.names.extend(other.names.iter().cloned());
    }

    /// Whether a fact must be in the context.
    pub(super) fn reads(&self, name: &str) -> bool {
        self.everything || self.names.contains(name)
    }

    /// Whether the same question may get another answer later.
    pub(super) fn changes(&self) -> bool {
        CHANGING.iter().any(|name| self.reads(name))
    }

    fn walk(&mut self, json: &Value) {
        match json {
            Value::Object(map) => {
                if let Some(name) = accessed(map) {
                    self.names.insert(name.to_owned());
                    return;
                }
                if is_context(json) {
                    self.everything = true;
                }
                map.values().for_each(|value| self.walk(value));
            }
            Value::Array(list) => list.iter().for_each(|value| self.walk(value)),
            _ => {}
        }
    }
}

/// The name in `context.NAME` or `context has NAME`, as Cedar's JSON form writes them.
fn accessed(map: &serde_json::Map<String, Value>) -> Option<&str> {
    let access = map.get(".").or_else(|| map.get("has"))?;
    if map.len() != 1 || !access.get("left").is_some_and(is_context) {
        return None;
    }
    access.get("attr").and_then(Value::as_str)
}

fn is_context(json: &Value) -> bool {
    json.get("Var").and_then(Value::as_str) == Some("context")
}
