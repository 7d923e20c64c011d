//! From an analysis to effects, in this session: its search path, its temporary relations, what it
//! prepared under SQL names, and a cache of what came out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use portcullis_core::operation::Effects;
use portcullis_sql::{Analysis, SessionChange};

use super::path::Following;
use super::plans::{Epoch, LookedUp};
use crate::catalogue::{Catalogue, RESOLVED_FRESH};
use crate::classify::{self, Earlier, Names, PathChange, Stored};
use crate::knowledge::Knowledge;
use crate::names::{Answers, NOWHERE, SearchPath, candidates};

/// The most resolved analyses kept in one session.
const MAX_RESOLVED: usize = 256;

/// Larger analyses, and lists of effects, are not kept resolved.
const MAX_KEPT: usize = 16 << 10;

/// The most names of temporary relations, or of relations made, that are followed in one session.
const MAX_FOLLOWED: usize = 10_000;

/// The most bytes of analyses, about, that are kept of what a session stored under SQL names.
const MAX_STORED: usize = 16 << 20;

/// The session's view of names.
pub(crate) struct Resolver {
    database: Box<str>,
    following: Following,
    catalogue: Arc<Catalogue>,
    temporary: HashSet<Box<str>>,
    /// Relations that this session made, with the schemas they may have been made in: they are not
    /// in the catalogue before the transaction commits.
    created: HashMap<Box<str>, Vec<Box<str>>>,
    prepared: Shelf,
    cursors: Shelf,
    answers: HashMap<Box<str>, Arc<[Box<str>]>>,
    resolved: HashMap<usize, Resolved>,
    /// How often what was resolved has been forgotten.
    forgotten: u64,
}

struct Resolved {
    /// Keeps the address, which is the key, from being used again.
    _analysis: Arc<Analysis>,
    effects: Effects,
    generation: u64,
    at: Instant,
}

/// What was stored under SQL names of one sort. What does not fit is not known, and so judged as
/// what nobody knows.
#[derive(Default)]
struct Shelf {
    stored: HashMap<Box<str>, Arc<Analysis>>,
    weight: usize,
}

impl Shelf {
    fn put(&mut self, name: &str, analysis: &Arc<Analysis>) {
        self.remove(name);
        let weight = weight(name, analysis);
        if self.weight.saturating_add(weight) <= MAX_STORED {
            self.weight = self.weight.saturating_add(weight);
            self.stored.insert(name.into(), Arc::clone(analysis));
        }
    }

    /// Says whether there was anything under the name.
    fn remove(&mut self, name: &str) -> bool {
        let removed = self.stored.remove(name);
        let freed = removed.as_ref().map_or(0, |analysis| weight(name, analysis));
        self.weight = self.weight.saturating_sub(freed);
        removed.is_some()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

const fn weight(name: &str, analysis: &Analysis) -> usize {
    name.len().saturating_add(analysis.weight)
}

impl Resolver {
    pub(crate) fn new(database: &str, path: SearchPath, catalogue: Arc<Catalogue>) -> Self {
        Self {
            database: database.into(),
            following: Following::new(path),
            catalogue,
            temporary: HashSet::new(),
            created: HashMap::new(),
            prepared: Shelf::default(),
            cursors: Shelf::default(),
            answers: HashMap::new(),
            resolved: HashMap::new(),
            forgotten: 0,
        }
    }

    /// What names stand for is to be looked up anew, however fresh what is known of them.
    pub(crate) fn refresh(&mut self) {
        self.catalogue.forget();
        self.answers.clear();
    }

    /// The target reports its search path at login.
    pub(crate) fn began_with_path(&mut self, setting: &str) {
        self.following.began_with(setting);
    }

    /// The target reports its search path.
    pub(crate) fn path_reported(&mut self, setting: &str) {
        self.following.reported(setting);
        self.forget_resolved();
    }

    pub(crate) fn learn(&mut self, answers: Answers) {
        self.answers.extend(answers.into_iter().map(|(name, schemas)| (name, schemas.into())));
    }

    /// The effects of an analysis in this session, or the relations that have to be looked up
    /// first.
    pub(crate) fn effects(&mut self, analysis: &Arc<Analysis>) -> Result<Effects, Vec<Box<str>>> {
        let key = Arc::as_ptr(analysis).addr();
        let now = Instant::now();
        let generation = self.catalogue.generation();
        if let Some(known) = self.resolved.get(&key)
            && known.generation == generation
            && now.saturating_duration_since(known.at) < RESOLVED_FRESH
        {
            return Ok(known.effects.clone());
        }
        let missing = self.missing(analysis, now);
        if !missing.is_empty() {
            return Err(missing);
        }
        let effects = classify::effects(analysis, self);
        self.answers.clear();
        if analysis.weight.max(effects.json().get().len()) <= MAX_KEPT {
            if self.resolved.len() >= MAX_RESOLVED {
                self.resolved.clear();
            }
            let kept = Resolved { _analysis: Arc::clone(analysis), effects: effects.clone(), generation, at: now };
            self.resolved.insert(key, kept);
        }
        Ok(effects)
    }

    fn missing(&mut self, analysis: &Analysis, now: Instant) -> Vec<Box<str>> {
        let inner: Vec<Arc<Analysis>> = self.run_by(analysis).collect();
        let names = classify::relations(analysis).chain(inner.iter().flat_map(|inner| classify::relations(inner)));
        let mut missing: HashSet<Box<str>> = HashSet::new();
        for name in names {
            if self.answers.contains_key(name) || missing.contains(name) {
                continue;
            }
            match self.catalogue.schemas(name, now) {
                Some(schemas) => {
                    self.answers.insert(name.into(), schemas);
                }
                None => {
                    missing.insert(name.into());
                }
            }
        }
        missing.into_iter().collect()
    }

    /// What the statements of an analysis run of what was stored before.
    pub(crate) fn run_by(&self, analysis: &Analysis) -> impl Iterator<Item = Arc<Analysis>> {
        analysis.statements.iter().filter_map(classify::runs).filter_map(|run| self.stored(run))
    }

    /// Whether a statement writes rows, or may: itself, or in what it runs of what was stored.
    pub(super) fn writes(&self, analysis: &Analysis, statement: usize) -> bool {
        let Some(statement) = analysis.statements.get(statement) else { return true };
        let Some(run) = classify::runs(statement) else { return classify::writes_rows(statement) };
        let Some(stored) = self.stored(run) else { return true };
        stored.statements.iter().any(classify::writes_rows)
    }

    /// Follows what the target has done: `statement` of `analysis` is complete.
    pub(crate) fn done(&mut self, analysis: &Arc<Analysis>, statement: usize) {
        if classify::changes_catalogue(analysis) {
            self.catalogue.forget();
        }
        // More statements than the gate has found: what they do is not known.
        let Some(statement) = analysis.statements.get(statement).or(analysis.statements.last()) else { return };
        let stored = classify::runs(statement).and_then(|run| self.stored(run));
        if self.following.done(statement, stored.as_deref()) || statement.change.is_some() {
            self.forget_resolved();
        }
        match &statement.change {
            Some(SessionChange::DiscardAll) => {
                self.forget_stored();
                self.temporary.clear();
            }
            Some(SessionChange::Unknown) => self.forget_stored(),
            Some(SessionChange::Prepare { name, analysis }) => self.prepared.put(name, analysis),
            Some(SessionChange::Declare { name, analysis }) => self.cursors.put(name, analysis),
            Some(SessionChange::Deallocate { name: Some(name) }) => {
                self.prepared.remove(name);
            }
            Some(SessionChange::Deallocate { name: None }) => self.prepared.clear(),
            Some(SessionChange::Close { name: Some(name) }) => {
                self.cursors.remove(name);
            }
            Some(SessionChange::Close { name: None }) => self.cursors.clear(),
            Some(SessionChange::CreateTemp { name }) if self.temporary.len() < MAX_FOLLOWED => {
                self.temporary.insert(name.clone());
            }
            _ => {}
        }
        if classify::is_unfollowed(statement) {
            self.forget_stored();
        }
    }

    /// Names may have come to mean something else.
    fn forget_resolved(&mut self) {
        self.resolved.clear();
        self.forgotten = self.forgotten.wrapping_add(1);
    }

    /// Changes whenever names may have come to mean something else.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch { session: self.forgotten, catalogue: self.catalogue.generation() }
    }

    /// What is known now, with what was just looked up.
    pub(super) fn knowledge(&self, looked_up: &LookedUp) -> Arc<Knowledge> {
        Arc::new(Knowledge {
            catalogue: Arc::clone(&self.catalogue),
            looked_up: Arc::clone(&looked_up.relations),
            looked_up_at: looked_up.at,
            path: self.following.path().clone(),
            temporary: self.temporary.clone(),
            now: Instant::now(),
        })
    }

    fn forget_stored(&mut self) {
        self.prepared.clear();
        self.cursors.clear();
    }

    /// The protocol's messages name statements and portals in the namespaces of SQL: what they made
    /// or closed is no longer what SQL made.
    pub(crate) fn unnamed(&mut self, which: u8, name: &[u8]) {
        let shelf = if which == b'S' { &mut self.prepared } else { &mut self.cursors };
        if std::str::from_utf8(name).is_ok_and(|name| shelf.remove(name)) {
            self.forget_resolved();
        }
    }

    /// The target is ready, with no transaction open if `idle`, and after a failure if `failed`.
    pub(crate) fn ready(&mut self, idle: bool, failed: bool) {
        if self.following.ready(idle, failed) {
            self.forget_resolved();
        }
    }

    /// A relation that the session makes without naming a schema.
    pub(crate) fn making(&mut self, analysis: &Analysis) {
        let schemas = self.following.path().creation();
        for name in classify::created(analysis) {
            if self.created.len() < MAX_FOLLOWED && !schemas.is_empty() {
                self.created.insert(name.into(), schemas.clone());
            }
        }
    }

    /// The schemas of the search path, where it is certain.
    pub(super) fn path_now(&self) -> Option<Vec<Box<str>>> {
        self.following.path().certain()
    }

    fn path(&self, earlier: &Earlier) -> SearchPath {
        let path = self.following.path().clone();
        earlier.path.as_ref().map_or_else(|| path.clone(), |moved| path.clone().or(moved))
    }
}

impl Names for Resolver {
    fn database(&self) -> &str {
        &self.database
    }

    fn schemas(&self, relation: &str, earlier: &Earlier) -> Vec<Box<str>> {
        let holders = self.answers.get(relation).map_or(&[][..], |schemas| schemas);
        let made = earlier.made.get(relation);
        let temporary = self.temporary.contains(relation) || made == Some(&true);
        let found = candidates(&self.path(earlier), holders, temporary);
        match &found[..] {
            [only] if &**only == NOWHERE => match (made, self.created.get(relation)) {
                (Some(_), _) => self.creation(earlier),
                (None, Some(schemas)) => schemas.clone(),
                (None, None) => found,
            },
            _ => found,
        }
    }

    fn creation(&self, earlier: &Earlier) -> Vec<Box<str>> {
        match &self.path(earlier).creation()[..] {
            [] => vec![NOWHERE.into()],
            schemas => schemas.to_vec(),
        }
    }

    fn stored(&self, name: Stored<'_>) -> Option<Arc<Analysis>> {
        match name {
            Stored::Statement(name) => self.prepared.stored.get(name).cloned(),
            Stored::Cursor(name) => self.cursors.stored.get(name).cloned(),
        }
    }

    fn moved(&self, change: &PathChange<'_>) -> SearchPath {
        self.following.after(change)
    }
}
