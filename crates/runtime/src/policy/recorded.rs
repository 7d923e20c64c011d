//! Questions that were asked before: recorded operations, decided anew by other policies.
//!
//! It reads the events of recordings and no file.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_core::operation::{Effect, Effects};
use portcullis_core::policy::{Policy as _, Question, Subject};
use portcullis_core::recording::Event;
use serde::Deserialize;
use serde_json::Value;

use super::CedarPolicy;
use super::asked::effect;
use super::words::Words;

/// Operations of one session whose decision has not been read yet.
const MAX_OPEN: usize = 1_000;

/// An effect as it is recorded.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedEffect {
    /// The action's name.
    pub action: String,
    /// What it is done to.
    pub resource: RecordedResource,
    /// What is known of it.
    #[serde(default)]
    pub facts: BTreeMap<String, Value>,
}

/// A resource as it is recorded.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedResource {
    /// Its kind; empty where it is to be told by the length of the path.
    pub kind: String,
    /// From below the target downwards.
    pub path: Vec<Box<str>>,
}

impl RecordedEffect {
    pub(super) fn understood(&self, words: &Words) -> Result<Effect, String> {
        effect(words, &self.action, &self.facts, |action| {
            let RecordedResource { kind, path } = &self.resource;
            words.resource(action, kind, path)
        })
    }
}

/// An operation that would be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its number in its session.
    pub op: u64,
    /// When it was decided, in microseconds since 1970.
    pub at: u64,
    /// What was asked.
    pub statement: String,
    /// How it was decided: `allow`, `ask-first` or `deny`.
    pub was: String,
    /// How it would be.
    pub now: &'static str,
    /// By which policies.
    pub policies: Vec<String>,
    /// Why.
    pub reason: String,
}

/// What one event of a session came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// No decision.
    Nothing,
    /// A decision that would be the same.
    Same,
    /// One that would not.
    Changed(Box<Changed>),
}

/// One session, decided anew.
pub struct Replay<'p> {
    policy: &'p CedarPolicy,
    labels: &'p HashMap<String, Vec<(String, String)>>,
    subject: Option<Subject>,
    open: HashMap<u64, (String, Result<Effects, String>)>,
}

impl<'p> Replay<'p> {
    /// Under these policies, with the labels that the targets have now.
    pub fn new(policy: &'p CedarPolicy, labels: &'p HashMap<String, Vec<(String, String)>>) -> Self {
        Self { policy, labels, subject: None, open: HashMap::new() }
    }

    /// Takes the session's next event, as it is recorded. An event that is not understood decides nothing.
    pub fn take(&mut self, at: u64, json: &str) -> Replayed {
        let Ok(event) = serde_json::from_str::<Event<'_>>(json) else { return Replayed::Nothing };
        match event {
            Event::Opened { target, client, application, identity, .. } => {
                let labels = self.labels.get(target.as_ref()).cloned().unwrap_or_default();
                let client = client.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                self.subject = Some(Subject::new(
                    identity.into_owned(),
                    target.into_owned(),
                    labels,
                    "",
                    client,
                    application.into_owned(),
                    moment(at),
                ));
                Replayed::Nothing
            }
            Event::Operation { op, statement, effects, .. } => {
                if self.open.len() < MAX_OPEN {
                    let effects = self.effects(effects.get());
                    self.open.insert(op, (String::from_utf8_lossy(&statement.0).into_owned(), effects));
                }
                Replayed::Nothing
            }
            Event::Decision { op, decision, .. } => self.decide(op, at, &decision),
            _ => Replayed::Nothing,
        }
    }

    fn effects(&self, json: &str) -> Result<Effects, String> {
        let effects: Vec<RecordedEffect> = serde_json::from_str(json).map_err(|why| why.to_string())?;
        let effects: Result<Vec<_>, _> = effects.iter().map(|effect| effect.understood(&self.policy.words)).collect();
        effects.map(Effects::new)
    }

    fn decide(&mut self, op: u64, at: u64, was: &str) -> Replayed {
        let (Some((statement, effects)), Some(subject)) = (self.open.remove(&op), self.subject.as_ref()) else {
            return Replayed::Nothing;
        };
        let (now, policies, reason) = match effects {
            Ok(effects) => {
                let ruling = self.policy.decide(&Question { subject, effects: &effects, now: moment(at) });
                (ruling.decision.word(), ruling.policies.clone(), ruling.reason.clone())
            }
            // As the gate would: what is not understood is denied.
            Err(why) => ("deny", Vec::new(), why),
        };
        if now == was {
            return Replayed::Same;
        }
        Replayed::Changed(Box::new(Changed { op, at, statement, was: was.to_owned(), now, policies, reason }))
    }
}

fn moment(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}
