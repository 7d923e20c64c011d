//! What one session can know of its database at one moment, in memory: the catalogue that the tracing
//! of values asks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use portcullis_sql::postgres::lineage::{self, Callable, Callee, Column, Lookup, RelationName};

use crate::catalogue::Catalogue;
use crate::names::{NOWHERE, SearchPath, TEMPORARY, candidates};
use crate::relations::{Answer, CodeName, Place, Relation, Relations, Sort, Source, Wanted};

/// PostgreSQL's own schema.
const SYSTEM: &str = "pg_catalog";

/// A moment's knowledge.
#[derive(Debug)]
pub(crate) struct Knowledge {
    pub(crate) catalogue: Arc<Catalogue>,
    /// What was looked up for this very question, however old it is by now.
    pub(crate) looked_up: Arc<Relations>,
    pub(crate) looked_up_at: Instant,
    pub(crate) path: SearchPath,
    /// Names that the session has used for temporary relations.
    pub(crate) temporary: HashSet<Box<str>>,
    pub(crate) now: Instant,
}

/// Where a name leads.
enum Named {
    One(Place),
    /// Which one is meant cannot be told, or there is none.
    Unclear,
    NotYet,
}

impl Knowledge {
    /// The relation with this OID; `None` where it is not known whether there is one.
    pub(crate) fn with_oid(&self, oid: u32) -> Answer {
        let fresh = self.looked_up.with_oid(oid, self.looked_up_at);
        fresh.or_else(|| self.catalogue.relations(|relations| relations.with_oid(oid, self.now)))
    }

    /// The relation at this place.
    pub(crate) fn at(&self, place: &Place) -> Answer {
        let fresh = self.looked_up.at(place, self.looked_up_at);
        fresh.or_else(|| self.catalogue.relations(|relations| relations.at(place, self.now)))
    }

    fn place(&self, name: &RelationName) -> Named {
        if let Some(schema) = &name.schema {
            // Which of the sessions' temporary schemas that is, only the target knows.
            return if **schema == *TEMPORARY {
                Named::Unclear
            } else {
                Named::One(Place::new(&**schema, &*name.name))
            };
        }
        let Some(holders) = self.catalogue.schemas(&name.name, self.now) else { return Named::NotYet };
        match &candidates(&self.path, &holders, self.temporary.contains(&*name.name))[..] {
            [only] if &**only != NOWHERE && &**only != TEMPORARY => Named::One(Place::new(only.clone(), &*name.name)),
            _ => Named::Unclear,
        }
    }

    /// The relation that a name means.
    pub(crate) fn relation(&self, name: &RelationName) -> Lookup<Arc<Relation>> {
        match self.place(name) {
            Named::One(place) => match self.at(&place) {
                Some(Some(relation)) => Lookup::Found(relation),
                Some(None) => Lookup::Absent,
                None => Lookup::NotYet,
            },
            Named::Unclear => Lookup::Absent,
            Named::NotYet => Lookup::NotYet,
        }
    }

    /// Adds what has to be looked up for a relation to be known by its name.
    pub(crate) fn want_relation(&self, name: &RelationName, wanted: &mut Wanted) {
        match self.place(name) {
            Named::One(place) => drop(wanted.places.insert(place)),
            Named::NotYet => drop(wanted.names.insert((&*name.name).into())),
            Named::Unclear => {}
        }
    }

    /// Adds what has to be looked up for a function, an operator or a type to be known.
    pub(crate) fn want_code(&self, callable: &Callable, wanted: &mut Wanted) {
        wanted.codes.insert(code(callable).0);
    }
}

fn code(callable: &Callable) -> (CodeName, Option<&str>) {
    let (sort, name) = match callable {
        Callable::Function(name) => (Sort::Function, name),
        Callable::Operator(name) => (Sort::Operator, name),
        Callable::Type(name) => (Sort::Type, name),
    };
    (CodeName { sort, name: (&*name.name).into() }, name.schema.as_deref())
}

impl lineage::Catalogue for Knowledge {
    fn relation(&self, name: &RelationName) -> Lookup<Arc<lineage::Relation>> {
        match Self::relation(self, name) {
            Lookup::Found(relation) => Lookup::Found(Arc::new(told(&relation))),
            Lookup::Absent => Lookup::Absent,
            Lookup::NotYet => Lookup::NotYet,
        }
    }

    fn callee(&self, callable: &Callable) -> Lookup<Callee> {
        let (name, schema) = code(callable);
        let fresh = self.looked_up.codes(&name, self.looked_up_at);
        let known = fresh.or_else(|| self.catalogue.relations(|relations| relations.codes(&name, self.now)));
        let Some(codes) = known else { return Lookup::NotYet };
        let seen = |holder: &str| match (schema, &self.path) {
            (Some(schema), _) => holder == schema,
            (None, SearchPath::Unknown) => true,
            (None, SearchPath::OneOf(paths)) => {
                holder == SYSTEM || paths.iter().any(|path| path.iter().any(|schema| **schema == *holder))
            }
        };
        let seen: Vec<_> = codes.iter().filter(|code| seen(&code.schema)).collect();
        Lookup::Found(match &seen[..] {
            [] if codes.is_empty() => return Lookup::Absent,
            [] => Callee::Anything,
            all if all.iter().all(|code| *code.schema == *SYSTEM) => Callee::BuiltIn,
            all if all.iter().all(|code| code.inert) => Callee::FromArguments,
            _ => Callee::Anything,
        })
    }
}

fn told(relation: &Relation) -> lineage::Relation {
    let column = |column: &crate::relations::Attribute| Column {
        name: (&*column.name).into(),
        generated: column.generated.as_deref().map(Into::into),
    };
    lineage::Relation {
        schema: (&*relation.place.schema).into(),
        name: (&*relation.place.name).into(),
        columns: relation.columns.iter().map(column).collect(),
        source: match &relation.source {
            Source::Stored => lineage::Source::Stored,
            Source::View(definition) => lineage::Source::View { definition: definition.as_deref().map(Into::into) },
        },
    }
}
