//! Subjects and effects as Cedar sees them: entities with their ancestors, and the context.
//!
//! It builds what the schema in `words` promises; it decides nothing.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::time::SystemTime;

use cedar_policy::{
    Context, Entities, Entity, EntityTypeName, EntityUid, PrincipalConstraint, Request, RestrictedExpression,
};
use portcullis_core::identity::Kind as Who;
use portcullis_core::operation::{Effect, Fact};
use portcullis_core::policy::Subject;
use portcullis_core::vocabulary::{FactType, TARGET};

use super::names;
use super::reads::Reads;
use super::words::{ActionWord, Words};

/// Why an effect cannot be asked about. Each is a mistake of the gate's own, and a Deny.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unaskable {
    #[error("the action `{0}` is in no vocabulary")]
    Action(&'static str),
    #[error("`{action}` does not apply to the kind of resource `{kind}`")]
    Resource { action: &'static str, kind: &'static str },
    #[error("the resource of `{0}` does not name every level from the target down")]
    Levels(&'static str),
    #[error("the fact `{0}` is in no vocabulary, or of another type there")]
    Fact(&'static str),
    #[error("the question cannot be put to the policies: {0}")]
    Cedar(String),
}

impl Unaskable {
    fn cedar(error: impl std::error::Error) -> Self {
        Self::Cedar(error.to_string())
    }
}

/// The entity types that the gate builds itself.
#[derive(Debug)]
pub(super) struct Types {
    group: EntityTypeName,
    label: EntityTypeName,
    user: EntityTypeName,
    workload: EntityTypeName,
    target: EntityTypeName,
}

impl Types {
    pub(super) fn new() -> Result<Self, Unaskable> {
        let name = |name| EntityTypeName::from_str(name).map_err(Unaskable::cedar);
        Ok(Self {
            group: name("Group")?,
            label: name("Label")?,
            user: name("User")?,
            workload: name("Workload")?,
            target: name(TARGET)?,
        })
    }
}

/// One subject's entities: the principal and the target. Built once for all its questions.
#[derive(Debug)]
pub(super) struct Known {
    principal: EntityUid,
    groups: HashSet<EntityUid>,
    /// The target and its labels, which contain every resource.
    above: HashSet<EntityUid>,
    target: EntityUid,
    entities: Entities,
}

impl Known {
    pub(super) fn new(types: &Types, subject: &Subject) -> Result<Self, Unaskable> {
        let identity = &subject.identity;
        let kind = match identity.kind {
            Who::User => &types.user,
            Who::Workload => &types.workload,
        };
        let principal = names::uid(kind, &names::principal(identity));
        let groups: HashSet<_> = identity.groups.iter().map(|group| names::uid(&types.group, group)).collect();
        let mut attributes = HashMap::from([
            (String::from("issuer"), text(&identity.issuer)),
            (String::from("subject"), text(&identity.subject)),
            (String::from("actors"), RestrictedExpression::new_set(identity.actors.iter().map(|actor| text(actor)))),
        ]);
        if let Some(email) = &identity.email {
            attributes.insert(String::from("email"), text(email));
        }
        let who = Entity::new(principal.clone(), attributes, groups.clone()).map_err(Unaskable::cedar)?;
        let labels: HashSet<_> =
            subject.labels.iter().map(|(name, value)| names::uid(&types.label, &format!("{name}={value}"))).collect();
        let target = names::uid(&types.target, &subject.target);
        let what = entity(target.clone(), &subject.target, labels.clone())?;
        let entities = Entities::from_entities([who, what], None).map_err(Unaskable::cedar)?;
        let mut above = labels;
        above.insert(target.clone());
        Ok(Self { principal, groups, above, target, entities })
    }

    /// Whether a policy with this head can be about the principal at all.
    pub(super) fn may_be_meant(&self, head: &PrincipalConstraint) -> bool {
        let within = |uid: &EntityUid| *uid == self.principal || self.groups.contains(uid);
        match head {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::Eq(uid) => *uid == self.principal,
            PrincipalConstraint::In(uid) => within(uid),
            PrincipalConstraint::Is(kind) => kind == self.principal.type_name(),
            PrincipalConstraint::IsIn(kind, uid) => kind == self.principal.type_name() && within(uid),
        }
    }

    /// The question for Cedar, with the entities that it needs.
    pub(super) fn ask(
        &self,
        words: &Words,
        action: &ActionWord,
        effect: &Effect,
        context: Context,
        target: &str,
    ) -> Result<(Request, Entities), Unaskable> {
        let mut added = vec![action.entity.clone()];
        let resource = if effect.resource.kind == TARGET {
            self.target.clone()
        } else {
            let entity = self.resource(words, effect, target)?;
            let uid = entity.uid();
            added.push(entity);
            uid
        };
        let entities = self.entities.clone().add_entities(added, None).map_err(Unaskable::cedar)?;
        let request = Request::new(self.principal.clone(), action.uid.clone(), resource, context, None)
            .map_err(Unaskable::cedar)?;
        Ok((request, entities))
    }

    /// A resource below the target, in all that contains it.
    fn resource(&self, words: &Words, effect: &Effect, target: &str) -> Result<Entity, Unaskable> {
        let resource = &effect.resource;
        let levels = words.kind(resource.kind).map_or(&[][..], |kind| &kind.levels);
        let wrong = || Unaskable::Levels(effect.action.name());
        if levels.len() != resource.path.len() {
            return Err(wrong());
        }
        let (own, containers) = levels.split_last().ok_or_else(wrong)?;
        let mut above = self.above.clone();
        for (depth, kind) in containers.iter().enumerate() {
            let path = resource.path.iter().take(depth + 1).map(|part| &**part);
            above.insert(names::uid(kind, &names::below(target, path)));
        }
        let id = names::below(target, resource.path.iter().map(|part| &**part));
        let name = resource.path.last().ok_or_else(wrong)?;
        entity(names::uid(own, &id), name, above)
    }
}

fn entity(uid: EntityUid, name: &str, parents: HashSet<EntityUid>) -> Result<Entity, Unaskable> {
    Entity::new(uid, HashMap::from([(String::from("name"), text(name))]), parents).map_err(Unaskable::cedar)
}

/// The context of one effect, as far as the policies in question read it. An effect that states
/// what its vocabulary does not know is refused whatever they read.
pub(super) fn context(
    action: &ActionWord,
    effect: &Effect,
    subject: &Subject,
    now: SystemTime,
    reads: &Reads,
) -> Result<Context, Unaskable> {
    let known = action.vocabulary.facts;
    for (name, fact) in &effect.facts {
        if !known.iter().any(|entry| entry.name == *name && entry.kind == kind(fact)) {
            return Err(Unaskable::Fact(name));
        }
    }
    let mut pairs = common(subject, now, reads);
    for entry in known.iter().filter(|entry| reads.reads(entry.name)) {
        let value = effect.facts.get(entry.name).map_or_else(|| default(entry.kind), value);
        pairs.push((String::from(entry.name), value));
    }
    Context::from_pairs(pairs).map_err(Unaskable::cedar)
}

fn common(subject: &Subject, now: SystemTime, reads: &Reads) -> Vec<(String, RestrictedExpression)> {
    let mut pairs = Vec::new();
    if reads.reads("address") {
        pairs.push((String::from("address"), RestrictedExpression::new_ip(subject.client.to_canonical().to_string())));
    }
    if reads.reads("application") {
        pairs.push((String::from("application"), text(&subject.application)));
    }
    if reads.reads("session_age") {
        let age = now.duration_since(subject.opened).unwrap_or_default();
        pairs.push((String::from("session_age"), RestrictedExpression::new_duration(format!("{}ms", age.as_millis()))));
    }
    if reads.reads("time") {
        pairs.push((String::from("time"), RestrictedExpression::new_datetime(datetime(now))));
    }
    pairs
}

const fn kind(fact: &Fact) -> FactType {
    match fact {
        Fact::Bool(_) => FactType::Bool,
        Fact::Long(_) => FactType::Long,
        Fact::Text(_) => FactType::Text,
        Fact::Texts(_) => FactType::Texts,
    }
}

fn value(fact: &Fact) -> RestrictedExpression {
    match fact {
        Fact::Bool(bool) => RestrictedExpression::new_bool(*bool),
        Fact::Long(long) => RestrictedExpression::new_long(*long),
        Fact::Text(word) => text(word),
        Fact::Texts(words) => RestrictedExpression::new_set(words.iter().map(|word| text(word))),
    }
}

fn default(kind: FactType) -> RestrictedExpression {
    match kind {
        FactType::Bool => RestrictedExpression::new_bool(false),
        FactType::Long => RestrictedExpression::new_long(0),
        FactType::Text => text(""),
        FactType::Texts => RestrictedExpression::new_set([]),
    }
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

/// The time as Cedar's `datetime` reads it: UTC, to the millisecond.
fn datetime(now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// The Gregorian date of a day counted from 1970-01-01, found by years of 400 that begin in March.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::datetime;

    #[test]
    fn times_are_written_as_cedar_reads_them() {
        for (millis, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(datetime(SystemTime::UNIX_EPOCH + Duration::from_millis(millis)), written);
        }
    }
}
