//! A folder of policies, a vocabulary to write them in, and questions to put to them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_core::identity::{Identity, Kind};
use portcullis_core::operation::{Effect, Effects, Fact, Facts, Resource};
use portcullis_core::policy::{Policy as _, Question, Ruling, Subject};
use portcullis_core::vocabulary::{Action, ActionEntry, FactEntry, FactType, ResourceKind, TARGET, Vocabulary};

use crate::policy::{CedarPolicy, PolicyErrors};

pub(super) const READ: Action = Action::new("t:read");
pub(super) const WRITE: Action = Action::new("t:write");
pub(super) const DELETE: Action = Action::new("t:delete");

const KINDS: &[&str] = &[TARGET, "Database", "Table"];

const fn action(action: Action, within: &'static [Action]) -> ActionEntry {
    ActionEntry { action, within, applies_to: KINDS, meaning: "does what its name says" }
}

const fn fact(name: &'static str, kind: FactType) -> FactEntry {
    FactEntry { name, kind, meaning: "is what its name says" }
}

/// A vocabulary with every type of fact, a wider action, and two levels below the target.
pub(super) static SMALL: Vocabulary = Vocabulary {
    family: "t",
    actions: &[action(READ, &[]), action(WRITE, &[]), action(DELETE, &[WRITE])],
    resources: &[
        ResourceKind { name: "Database", parent: None },
        ResourceKind { name: "Table", parent: Some("Database") },
    ],
    facts: &[
        fact("flag", FactType::Bool),
        fact("rows", FactType::Long),
        fact("word", FactType::Text),
        fact("words", FactType::Texts),
    ],
};

/// A folder with one file of policies.
pub(super) fn folder(policies: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), policies);
    dir
}

/// Writes the folder's only file anew, as careful tools do: beside it, then in its place.
pub(super) fn write(dir: &Path, policies: &str) {
    let draft = dir.join("draft");
    std::fs::write(&draft, policies).unwrap();
    std::fs::rename(draft, dir.join("all.cedar")).unwrap();
}

pub(super) fn load(dir: &Path) -> Result<CedarPolicy, PolicyErrors> {
    CedarPolicy::load(dir, &[&SMALL], &[String::from("shop"), String::from("ledger")])
}

/// Policies of the small vocabulary.
pub(super) fn policy(policies: &str) -> CedarPolicy {
    let dir = folder(policies);
    load(dir.path()).unwrap_or_else(|errors| panic!("{errors}\nin\n{policies}"))
}

/// A subject that is easily made another one.
pub(super) struct Asker {
    pub(super) groups: Vec<&'static str>,
    pub(super) kind: Kind,
    pub(super) actors: Vec<&'static str>,
    pub(super) target: &'static str,
    pub(super) labels: Vec<(&'static str, &'static str)>,
    pub(super) client: IpAddr,
    pub(super) application: &'static str,
}

impl Default for Asker {
    fn default() -> Self {
        Self {
            groups: vec!["okta:vendors"],
            kind: Kind::User,
            actors: Vec::new(),
            target: "shop",
            labels: vec![("env", "prod")],
            client: Ipv4Addr::new(10, 1, 2, 3).into(),
            application: "psql",
        }
    }
}

/// Noon of 2026-03-02, when every session of these tests opens.
pub(super) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_452_800)
}

impl Asker {
    pub(super) fn subject(&self) -> Subject {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let identity = Identity {
            issuer: String::from("https://id.example.com"),
            subject: String::from("dana"),
            kind: self.kind,
            groups: owned(&self.groups),
            email: Some(String::from("dana@example.com")),
            actors: owned(&self.actors),
            token: None,
            authenticated: None,
            expires: noon() + Duration::from_secs(3_600),
        };
        let labels = self.labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (target, application) = (self.target.to_owned(), self.application.to_owned());
        Subject::new(identity, target, labels, "t", self.client, application, noon())
    }
}

/// An effect on the table `shop/public` without facts.
pub(super) fn does(action: Action) -> Effect {
    Effect { action, resource: Resource::new("Table", ["shop", "orders"]), facts: Facts::new() }
}

/// The same with one fact.
pub(super) fn does_with(action: Action, name: &'static str, fact: Fact) -> Effect {
    Effect { facts: Facts::from([(name, fact)]), ..does(action) }
}

/// Asks at noon.
pub(super) fn ask(policy: &CedarPolicy, asker: &Asker, effects: Vec<Effect>) -> Arc<Ruling> {
    ask_at(policy, asker, effects, noon())
}

pub(super) fn ask_at(policy: &CedarPolicy, asker: &Asker, effects: Vec<Effect>, now: SystemTime) -> Arc<Ruling> {
    policy.decide(&Question { subject: &asker.subject(), effects: &Effects::new(effects), now })
}
