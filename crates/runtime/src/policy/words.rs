//! The words that policies may use: vocabularies of protocol families turned into a Cedar schema.
//!
//! It knows no policy and no protocol; what the words mean is the protocol's business.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::str::FromStr;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Schema};
use portcullis_core::masking::reveal;
use portcullis_core::operation::Resource;
use portcullis_core::vocabulary::{ActionEntry, FactType, ResourceKind, TARGET, Vocabulary};

use super::problem::{PolicyError, PolicyErrors};

/// The entity types that every schema has. `Target` is a kind of resource too.
const OWN_TYPES: [&str; 5] = ["Group", "Label", "User", "Workload", TARGET];

/// What every schema says of principals and targets.
const COMMON: &str = "\
// A group, prefixed by the configured name of its issuer: Group::\"okta:dba\".
entity Group;
// A label of a target: Label::\"env=prod\".
entity Label;
// Who asks. `actors` are those who act for the subject, outermost first; empty where nobody does.
entity User, Workload in [Group] = { issuer: String, subject: String, email?: String, actors: Set<String> };
// A protected service, by its configured name.
entity Target in [Label] = { name: String };
";

/// Facts that the context of every action has, with their Cedar types.
pub(super) const COMMON_FACTS: [(&str, &str); 4] = [
    ("address", "__cedar::ipaddr"),
    ("application", "String"),
    ("session_age", "__cedar::duration"),
    ("time", "__cedar::datetime"),
];

/// One action, ready to be asked about.
#[derive(Debug)]
pub(super) struct ActionWord {
    pub(super) name: &'static str,
    pub(super) uid: EntityUid,
    /// The action with all that include it as its parents.
    pub(super) entity: Entity,
    /// The action itself and all wider ones.
    pub(super) governed_by: Vec<EntityUid>,
    pub(super) applies_to: &'static [&'static str],
    pub(super) vocabulary: &'static Vocabulary,
}

/// One kind of resource with its containers.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The kinds from directly below the target down to this one.
    pub(super) levels: Vec<EntityTypeName>,
}

/// All words that policies may use.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) schema: Schema,
    /// The schema as Cedar writes it, for people.
    pub(super) text: String,
    pub(super) actions: HashMap<&'static str, ActionWord>,
    pub(super) kinds: BTreeMap<&'static str, Kind>,
}

impl Words {
    /// Joins vocabularies, and the words of masking, which every target has. Fails where two contradict each other or one contradicts itself.
    pub(super) fn new(vocabularies: &[&'static Vocabulary]) -> Result<Self, PolicyErrors> {
        let vocabularies: Vec<_> = vocabularies.iter().copied().chain([reveal::VOCABULARY]).collect();
        let families = distinct(&vocabularies)?;
        let parents = parents(&families)?;
        let mut kinds = BTreeMap::new();
        for name in parents.keys() {
            kinds.insert(*name, Kind { name, levels: levels(name, &parents)? });
        }
        let text = schema_text(&families, &parents);
        let (schema, _) = Schema::from_cedarschema_str(&text).map_err(|error| {
            let finding = DetailedError::from(&error);
            wrong(&format!("the vocabularies make no schema: {}", finding.message))
        })?;
        let mut actions = HashMap::new();
        for vocabulary in families {
            for entry in vocabulary.actions {
                actions.insert(entry.action.name(), action_word(vocabulary, entry)?);
            }
        }
        Ok(Self { schema, text, actions, kinds })
    }

    /// A resource of a kind to which an action applies. Where the kind is not given, the length of the path
    /// tells it.
    pub(super) fn resource(&self, action: &ActionWord, kind: &str, path: &[Box<str>]) -> Result<Resource, String> {
        if path.is_empty() && (kind.is_empty() || kind == TARGET) {
            return Ok(Resource::target());
        }
        let fits = |known: &&&Kind| known.levels.len() == path.len() && (kind.is_empty() || kind == known.name);
        let mut kinds = action.applies_to.iter().filter_map(|name| self.kinds.get(name));
        let found = kinds.by_ref().find(|known| fits(&known));
        let found = found.ok_or_else(|| format!("`{}` is not done to `{}`", action.name, path.join("/")))?;
        Ok(Resource::new(found.name, path.iter().cloned()))
    }

    /// The kind of an entity type, if it is one of resources.
    pub(super) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }
}

/// Two protocols of one family bring the same vocabulary; it counts once.
fn distinct(vocabularies: &[&'static Vocabulary]) -> Result<Vec<&'static Vocabulary>, PolicyErrors> {
    let mut families: BTreeMap<&str, &'static Vocabulary> = BTreeMap::new();
    for vocabulary in vocabularies {
        let known = families.entry(vocabulary.family).or_insert(vocabulary);
        if format!("{known:?}") != format!("{vocabulary:?}") {
            return Err(wrong(&format!("two different vocabularies are called `{}`", vocabulary.family)));
        }
    }
    for vocabulary in families.values() {
        let mut names: BTreeSet<&str> = COMMON_FACTS.iter().map(|(name, _)| *name).collect();
        if let Some(fact) = vocabulary.facts.iter().find(|fact| !names.insert(fact.name)) {
            return Err(wrong(&format!("the fact `{}` of `{}` is declared twice", fact.name, vocabulary.family)));
        }
    }
    Ok(families.into_values().collect())
}

fn parents(families: &[&'static Vocabulary]) -> Result<BTreeMap<&'static str, Option<&'static str>>, PolicyErrors> {
    let mut parents = BTreeMap::new();
    for ResourceKind { name, parent } in families.iter().flat_map(|family| family.resources) {
        if *name == TARGET {
            continue;
        }
        let parent = parent.filter(|parent| *parent != TARGET);
        if OWN_TYPES.contains(name) || parents.insert(*name, parent).is_some_and(|known| known != parent) {
            return Err(wrong(&format!("the kind of resource `{name}` is declared in two ways")));
        }
    }
    Ok(parents)
}

fn levels(
    name: &'static str,
    parents: &BTreeMap<&'static str, Option<&'static str>>,
) -> Result<Vec<EntityTypeName>, PolicyErrors> {
    let mut levels = Vec::new();
    let mut next = Some(name);
    while let Some(kind) = next {
        levels.push(type_name(kind)?);
        next = *parents.get(kind).ok_or_else(|| wrong(&format!("there is no kind of resource `{kind}`")))?;
        if levels.len() > parents.len() {
            return Err(wrong(&format!("the kind of resource `{name}` contains itself")));
        }
    }
    levels.reverse();
    Ok(levels)
}

fn schema_text(families: &[&'static Vocabulary], parents: &BTreeMap<&'static str, Option<&'static str>>) -> String {
    let mut text = String::from(COMMON);
    for (name, parent) in parents {
        let _ = writeln!(text, "entity {name} in [{}] = {{ name: String }};", parent.unwrap_or(TARGET));
    }
    for family in families {
        let _ = writeln!(text, "\ntype {}Context = {{", family.family);
        for (name, kind) in COMMON_FACTS {
            let _ = writeln!(text, "  {name}: {kind},");
        }
        for fact in family.facts {
            let _ = writeln!(text, "  // {}\n  {}: {},", one_line(fact.meaning), fact.name, fact_type(fact.kind));
        }
        text.push_str("};\n");
        for entry in family.actions {
            write_action(&mut text, family.family, entry);
        }
    }
    text
}

fn write_action(text: &mut String, family: &str, entry: &ActionEntry) {
    let _ = write!(text, "// {}\naction \"{}\"", one_line(entry.meaning), entry.action);
    if !entry.within.is_empty() {
        let within: Vec<_> = entry.within.iter().map(|wider| format!("\"{wider}\"")).collect();
        let _ = write!(text, " in [{}]", within.join(", "));
    }
    let resources = entry.applies_to.join(", ");
    let _ = writeln!(
        text,
        " appliesTo {{ principal: [User, Workload], resource: [{resources}], context: {family}Context }};"
    );
}

const fn fact_type(kind: FactType) -> &'static str {
    match kind {
        FactType::Bool => "Bool",
        FactType::Long => "Long",
        FactType::Text => "String",
        FactType::Texts => "Set<String>",
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn action_word(vocabulary: &'static Vocabulary, entry: &'static ActionEntry) -> Result<ActionWord, PolicyErrors> {
    let mut wider = BTreeSet::new();
    let mut open = vec![entry];
    while let Some(entry) = open.pop() {
        for action in entry.within {
            if wider.insert(*action) {
                let found = vocabulary.actions.iter().find(|candidate| candidate.action == *action);
                open.push(found.ok_or_else(|| wrong(&format!("there is no action `{action}`")))?);
            }
        }
    }
    let uid = action_uid(entry.action.name())?;
    let wider = wider.into_iter().map(|action| action_uid(action.name())).collect::<Result<Vec<_>, _>>()?;
    let entity = Entity::new_no_attrs(uid.clone(), wider.iter().cloned().collect());
    let governed_by = std::iter::once(uid.clone()).chain(wider).collect();
    Ok(ActionWord { name: entry.action.name(), uid, entity, governed_by, applies_to: entry.applies_to, vocabulary })
}

fn action_uid(name: &str) -> Result<EntityUid, PolicyErrors> {
    Ok(EntityUid::from_type_name_and_id(type_name("Action")?, EntityId::new(name)))
}

fn type_name(name: &str) -> Result<EntityTypeName, PolicyErrors> {
    EntityTypeName::from_str(name).map_err(|_| wrong(&format!("`{name}` cannot be the name of a kind of resource")))
}

fn wrong(message: &str) -> PolicyErrors {
    PolicyError::of_file("", message).into()
}
