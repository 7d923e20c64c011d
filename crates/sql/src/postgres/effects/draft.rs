//! The effects of one statement while they are being gathered.
//!
//! Effects with the same action on the same object are one; what is said of the statement as a
//! whole (`opaque`, `functions`) is said of each of its effects.

use std::collections::BTreeSet;

use portcullis_core::operation::{Fact, Facts};
use portcullis_core::vocabulary::Action;

use crate::{Object, SqlEffect, vocabulary};

/// Statements with more effects than this are unknown.
const MAX_EFFECTS: usize = 1024;

/// More columns or functions than this are told as `*`.
const MAX_NAMES: usize = 512;

/// Stands for every name.
const ALL: &str = "*";

/// Which effect of a [`Draft`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// Effects being gathered.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    effects: Vec<Gathered>,
    functions: BTreeSet<Box<str>>,
    opaque: bool,
    overflow: bool,
}

#[derive(Debug)]
struct Gathered {
    action: Action,
    object: Object,
    unfiltered: bool,
    locks: bool,
    columns: BTreeSet<Box<str>>,
}

impl Draft {
    /// States an effect, once.
    pub(crate) fn add(&mut self, action: Action, object: Object) -> Place {
        if let Some(known) = self.effects.iter().position(|known| known.action == action && known.object == object) {
            return Place(known);
        }
        if self.effects.len() >= MAX_EFFECTS {
            self.overflow = true;
            return Place(0);
        }
        self.effects.push(Gathered { action, object, unfiltered: false, locks: false, columns: BTreeSet::new() });
        Place(self.effects.len() - 1)
    }

    /// Names a column of the effect's relation; `*` names all.
    pub(crate) fn column(&mut self, place: Place, column: &str) {
        if let Some(effect) = self.effects.get_mut(place.0) {
            note(&mut effect.columns, column);
        }
    }

    /// Says that the effect is not limited to some rows.
    pub(crate) fn unfiltered(&mut self, place: Place) {
        if let Some(effect) = self.effects.get_mut(place.0) {
            effect.unfiltered = true;
        }
    }

    /// Says that the rows read are locked.
    pub(crate) fn locks(&mut self, place: Place) {
        if let Some(effect) = self.effects.get_mut(place.0) {
            effect.locks = true;
        }
    }

    /// The action and the object at a place.
    pub(crate) fn at(&self, place: Place) -> Option<(Action, &Object)> {
        self.effects.get(place.0).map(|effect| (effect.action, &effect.object))
    }

    /// Says that the statement calls a function that is not known to be pure.
    pub(crate) fn function(&mut self, name: &str) {
        note(&mut self.functions, name);
    }

    /// Says that the statement runs what cannot be seen.
    pub(crate) fn opaque(&mut self) {
        self.opaque = true;
    }

    /// Whether an effect on rows or relations was stated.
    pub(crate) fn touches_rows(&self) -> bool {
        let beside = [
            vocabulary::EXECUTE,
            vocabulary::SERVER,
            vocabulary::SESSION,
            vocabulary::MAINTAIN,
            vocabulary::REPLICATION,
        ];
        self.effects.iter().any(|effect| !beside.contains(&effect.action))
    }

    /// The effects. If there were too many, one of them is unknown.
    pub(crate) fn finish(mut self) -> Vec<SqlEffect> {
        if self.overflow {
            self.effects.truncate(MAX_EFFECTS - 1);
            self.add(vocabulary::UNKNOWN, Object::Database);
        }
        let functions: Vec<Box<str>> = self.functions.into_iter().collect();
        let opaque = self.opaque;
        self.effects.into_iter().map(|effect| effect.finish(&functions, opaque)).collect()
    }
}

impl Gathered {
    fn finish(self, functions: &[Box<str>], opaque: bool) -> SqlEffect {
        let mut facts = Facts::new();
        let flags = [("unfiltered", self.unfiltered), ("locks", self.locks), ("opaque", opaque)];
        facts.extend(flags.into_iter().filter(|(_, set)| *set).map(|(name, set)| (name, Fact::Bool(set))));
        if !functions.is_empty() {
            facts.insert("functions", Fact::Texts(functions.to_vec()));
        }
        if !self.columns.is_empty() {
            facts.insert("columns", Fact::Texts(self.columns.into_iter().collect()));
        }
        SqlEffect { action: self.action, object: self.object, facts }
    }
}

fn note(names: &mut BTreeSet<Box<str>>, name: &str) {
    if names.contains(name) || names.len() > MAX_NAMES {
        return;
    }
    names.insert(if names.len() == MAX_NAMES { ALL } else { name }.into());
}
