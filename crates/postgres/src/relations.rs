//! What the gate knows of a database's relations: their columns, what they inherit from and, of
//! views, what they select; and whose functions, operators and types there are of a name. Masking
//! needs it to say where a value comes from.
//!
//! Answers come from a connection of the gate's own (`serve/lookup.rs`). They are believed for as
//! long as the catalogue believes its names, and dropped with them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crate::catalogue::FRESH;

/// The most relations kept per database.
const MAX_RELATIONS: usize = 20_000;

/// One relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) place: Place,
    /// In the order of their numbers, without what was dropped.
    pub(crate) columns: Vec<Attribute>,
    /// The tables that this one inherits from, and those that inherit from it, partitions included,
    /// at any distance: a column's tags are theirs as well, for its values may be.
    pub(crate) kin: Vec<Place>,
    /// Where its rows come from.
    pub(crate) source: Source,
}

/// One column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) number: i16,
    pub(crate) name: Box<str>,
    /// The type's OID.
    pub(crate) kind: u32,
    /// What its value is computed from, where that is the row's others.
    pub(crate) generated: Option<Box<str>>,
}

/// Where a relation's rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// They are stored.
    Stored,
    /// A view selects them: this, with every name qualified that is not PostgreSQL's own. `None` where
    /// that is not known, as of what has rules.
    View(Option<Box<str>>),
}

/// A function, an operator or a type by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CodeName {
    pub(crate) sort: Sort,
    pub(crate) name: Box<str>,
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Sort {
    Function,
    Operator,
    Type,
}

/// One of the functions, operators or types of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) schema: Box<str>,
    /// It is a type that runs nothing of its own: an enumeration or a domain.
    pub(crate) inert: bool,
}

/// A relation's schema and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) schema: Box<str>,
    pub(crate) name: Box<str>,
}

impl Place {
    pub(crate) fn new(schema: impl Into<Box<str>>, name: impl Into<Box<str>>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl Relation {
    /// The name of an attribute.
    pub(crate) fn column(&self, number: i16) -> Option<&str> {
        self.columns.iter().find(|column| column.number == number).map(|column| &*column.name)
    }
}

/// What has to be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) oids: BTreeSet<u32>,
    pub(crate) places: BTreeSet<Place>,
    /// Names of which it is not known which schemas hold them.
    pub(crate) names: BTreeSet<Box<str>>,
    pub(crate) codes: BTreeSet<CodeName>,
}

impl Wanted {
    pub(crate) fn is_empty(&self) -> bool {
        self.oids.is_empty() && self.places.is_empty() && self.names.is_empty() && self.codes.is_empty()
    }
}

/// What a lookup found; what it did not find does not exist, or is not to be seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) wanted: Wanted,
    pub(crate) relations: Vec<Arc<Relation>>,
    pub(crate) codes: Vec<(CodeName, Code)>,
}

/// A relation, or that there is none; `None` where that is not known.
pub(crate) type Answer = Option<Option<Arc<Relation>>>;

/// The relations that are known, of which some are known not to be there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Relations {
    by_oid: HashMap<u32, Known>,
    by_place: HashMap<Place, Known>,
    codes: HashMap<CodeName, (Arc<[Code]>, Instant)>,
}

#[derive(Debug, Clone)]
struct Known {
    relation: Option<Arc<Relation>>,
    learned: Instant,
}

impl Known {
    fn fresh(&self, now: Instant) -> Answer {
        (now.saturating_duration_since(self.learned) < FRESH).then(|| self.relation.clone())
    }
}

impl Relations {
    /// The relation with this OID.
    pub(crate) fn with_oid(&self, oid: u32, now: Instant) -> Answer {
        self.by_oid.get(&oid)?.fresh(now)
    }

    /// The relation at this place.
    pub(crate) fn at(&self, place: &Place, now: Instant) -> Answer {
        self.by_place.get(place)?.fresh(now)
    }

    /// All that there is of a name, whatever its schema.
    pub(crate) fn codes(&self, name: &CodeName, now: Instant) -> Option<Arc<[Code]>> {
        let (codes, learned) = self.codes.get(name)?;
        (now.saturating_duration_since(*learned) < FRESH).then(|| Arc::clone(codes))
    }

    /// Keeps what a lookup found.
    pub(crate) fn learn(&mut self, found: &Found, learned: Instant) {
        if self.by_oid.len().max(self.by_place.len()).max(self.codes.len()) >= MAX_RELATIONS {
            *self = Self::default();
        }
        let nothing = || Known { relation: None, learned };
        self.by_oid.extend(found.wanted.oids.iter().map(|oid| (*oid, nothing())));
        self.by_place.extend(found.wanted.places.iter().map(|place| (place.clone(), nothing())));
        for relation in &found.relations {
            let known = Known { relation: Some(Arc::clone(relation)), learned };
            self.by_oid.insert(relation.oid, known.clone());
            self.by_place.insert(relation.place.clone(), known);
        }
        for wanted in &found.wanted.codes {
            let of_name = found.codes.iter().filter(|(name, _)| name == wanted).map(|(_, code)| code.clone());
            self.codes.insert(wanted.clone(), (of_name.collect(), learned));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::{Attribute, Found, Place, Relation, Relations, Source, Wanted};
    use crate::catalogue::FRESH;

    fn attribute(number: i16, name: &str) -> Attribute {
        Attribute { number, name: name.into(), kind: 25, generated: None }
    }

    #[test]
    fn what_was_looked_for_and_not_found_is_known_not_to_be_there() {
        let mut relations = Relations::default();
        let (now, place) = (Instant::now(), Place::new("public", "t"));
        assert_eq!(relations.at(&place, now), None);
        let places = [place.clone(), Place::new("public", "u")].into();
        let wanted = Wanted { oids: [1, 2].into(), places, ..Wanted::default() };
        let relation = Relation {
            oid: 1,
            place: place.clone(),
            columns: vec![attribute(1, "id"), attribute(3, "email")],
            kin: Vec::new(),
            source: Source::Stored,
        };
        relations.learn(&Found { wanted, relations: vec![Arc::new(relation)], codes: Vec::new() }, now);
        let known = relations.at(&place, now).unwrap().unwrap();
        assert_eq!((known.column(3), known.column(2)), (Some("email"), None));
        assert_eq!(relations.with_oid(1, now).unwrap().unwrap().place, place);
        assert_eq!(relations.with_oid(2, now), Some(None));
        assert_eq!(relations.with_oid(3, now), None);
        assert_eq!(relations.at(&Place::new("public", "u"), now), Some(None));
        assert_eq!(relations.with_oid(1, now + FRESH), None);
    }
}
