//! Questions written down: who asks what of which resource, in the words that policies use.
//!
//! Table tests and `policy explain` read these; the words are checked against the vocabularies.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use cedar_policy::EntityUid;
use portcullis_core::identity::{Identity, Kind};
use portcullis_core::operation::{Effect, Effects, Fact, Facts, Resource};
use portcullis_core::policy::Subject;
use portcullis_core::vocabulary::{FactType, TARGET};
use serde::Deserialize;
use serde_json::Value;

use super::names;
use super::recorded::RecordedEffect;
use super::words::{ActionWord, Words};
use crate::config::{duration, nearest};

/// One question, as a person writes it down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Who asks.
    #[serde(default)]
    pub who: Who,
    /// The target's configured name.
    pub target: String,
    /// The target's labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The client's address; 127.0.0.1 where it is not given.
    #[serde(default = "loopback")]
    pub address: IpAddr,
    /// The application's name; empty where it is not given.
    #[serde(default)]
    pub application: String,
    /// How old the session is: `5m`; new where it is not given.
    #[serde(default, with = "duration")]
    pub session_age: Duration,
    /// Seconds since 1970-01-01 UTC when the question is put; now where it is not given.
    #[serde(default)]
    pub at: Option<u64>,
    /// What the operation would do: one effect or more, here or among `recorded`.
    #[serde(default)]
    pub effects: Vec<AskedEffect>,
    /// Effects as recordings have them.
    #[serde(default)]
    pub recorded: Vec<RecordedEffect>,
}

/// Who asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Who {
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's name for the subject.
    pub subject: String,
    /// Person or program.
    pub kind: Kind,
    /// Groups with their issuer's prefix.
    pub groups: Vec<String>,
    /// The verified e-mail address.
    pub email: Option<String>,
    /// Who acts for the subject, outermost first.
    pub actors: Vec<String>,
}

impl Default for Who {
    fn default() -> Self {
        Self {
            issuer: String::from("https://id.example.com"),
            subject: String::from("somebody"),
            kind: Kind::User,
            groups: Vec::new(),
            email: None,
            actors: Vec::new(),
        }
    }
}

/// One effect, in the words of policies.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedEffect {
    /// The action's name: `sql:read`.
    pub action: String,
    /// The resource as policies name it: `Table::"orders-db/shop/public/orders"`; the target
    /// itself where it is not given.
    #[serde(default)]
    pub resource: Option<String>,
    /// Facts that differ from their defaults.
    #[serde(default)]
    pub facts: BTreeMap<String, Value>,
}

const fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

impl Asked {
    /// The question in core's words. What is wrong with it is told in a sentence.
    pub(super) fn understood(&self, words: &Words) -> Result<(Subject, Effects, SystemTime), String> {
        let mut effects = Vec::new();
        let mut family = "";
        for asked in &self.effects {
            family = known_action(words, &asked.action)?.vocabulary.family;
            effects.push(asked.understood(words, &self.target)?);
        }
        for recorded in &self.recorded {
            family = known_action(words, &recorded.action)?.vocabulary.family;
            effects.push(recorded.understood(words)?);
        }
        if effects.is_empty() {
            return Err(String::from("there is no effect to ask about"));
        }
        let now = self.at.map_or_else(SystemTime::now, |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let opened = now.checked_sub(self.session_age).unwrap_or(SystemTime::UNIX_EPOCH);
        let labels = self.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let (target, application) = (self.target.clone(), self.application.clone());
        let subject = Subject::new(self.who.identity(now), target, labels, family, self.address, application, opened);
        Ok((subject, Effects::new(effects), now))
    }
}

impl Who {
    fn identity(&self, now: SystemTime) -> Identity {
        Identity {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            kind: self.kind,
            groups: self.groups.clone(),
            email: self.email.clone(),
            actors: self.actors.clone(),
            token: None,
            authenticated: None,
            expires: now + Duration::from_secs(3_600),
        }
    }
}

impl AskedEffect {
    fn understood(&self, words: &Words, target: &str) -> Result<Effect, String> {
        effect(words, &self.action, &self.facts, |_| match &self.resource {
            Some(written) => resource(words, written, target),
            None => Ok(Resource::target()),
        })
    }
}

/// An effect in core's words.
pub(super) fn effect(
    words: &Words,
    action: &str,
    facts: &BTreeMap<String, Value>,
    resource: impl FnOnce(&ActionWord) -> Result<Resource, String>,
) -> Result<Effect, String> {
    let word = known_action(words, action)?;
    let resource = resource(word)?;
    let mut known = Facts::new();
    for (name, value) in facts {
        let entry = word.vocabulary.facts.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| unknown("fact", name, word.vocabulary.facts.iter().map(|entry| entry.name)))?;
        let fact = fact(entry.kind, value).ok_or_else(|| format!("the fact `{name}` is of another type"))?;
        known.insert(entry.name, fact);
    }
    let entry = word.vocabulary.actions.iter().find(|entry| entry.action.name() == word.name);
    let action = entry.ok_or_else(|| unknown("action", action, []))?.action;
    Ok(Effect { action, resource, facts: known })
}

fn known_action<'w>(words: &'w Words, name: &str) -> Result<&'w ActionWord, String> {
    words.actions.get(name).ok_or_else(|| unknown("action", name, words.actions.keys().copied()))
}

fn resource(words: &Words, written: &str, target: &str) -> Result<Resource, String> {
    let uid = EntityUid::from_str(written)
        .map_err(|_| format!("`{written}` is not a resource; write for example `Table::\"{target}/…\"`"))?;
    let name = uid.type_name().to_string();
    let path = names::parts(uid.id().unescaped());
    if name == TARGET {
        return if uid.id().unescaped() == target { Ok(Resource::target()) } else { Err(elsewhere(written, target)) };
    }
    let kind = words.kind(&name).ok_or_else(|| unknown("kind of resource", &name, words.kinds.keys().copied()))?;
    if path.first().map(String::as_str) != Some(target) {
        return Err(elsewhere(written, target));
    }
    if path.len() != kind.levels.len() + 1 {
        return Err(format!("`{written}` has the wrong number of parts"));
    }
    Ok(Resource::new(kind.name, path.into_iter().skip(1)))
}

fn elsewhere(written: &str, target: &str) -> String {
    format!("`{written}` is not in the target `{target}`")
}

fn fact(kind: FactType, value: &Value) -> Option<Fact> {
    Some(match kind {
        FactType::Bool => Fact::Bool(value.as_bool()?),
        FactType::Long => Fact::Long(value.as_i64()?),
        FactType::Text => Fact::Text(value.as_str()?.into()),
        FactType::Texts => {
            let mut texts: Vec<Box<str>> =
                value.as_array()?.iter().map(|text| text.as_str().map(Into::into)).collect::<Option<_>>()?;
            texts.sort();
            texts.dedup();
            Fact::Texts(texts)
        }
    })
}

fn unknown<'k>(what: &str, word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    match nearest(word, known) {
        Some(meant) => format!("there is no {what} `{word}`; did you mean `{meant}`?"),
        None => format!("there is no {what} `{word}`"),
    }
}
