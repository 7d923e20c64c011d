//! From an analysis to effects, in this session: its search path, its temporary relations, what it
//! prepared under SQL names, and a cache of what came out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use portcullis_core::operation::Effects;
use portcullis_sql::{Analysis, SessionChange};

use crate::catalogue::{Catalogue, RESOLVED_FRESH};
use crate::classify::{self, Names};
use crate::names::{NOWHERE, SearchPath, candidates};

/// The most resolved analyses kept in one session.
const MAX_RESOLVED: usize = 256;

/// The most names of temporary relations, or of stored statements, that are followed in one session.
const MAX_FOLLOWED: usize = 10_000;

/// The session's view of names.
pub(crate) struct Resolver {
    database: Box<str>,
    path: SearchPath,
    /// A path that was set and counts once its transaction has succeeded.
    coming: Option<SearchPath>,
    /// The path to go back to on RESET and DISCARD.
    login_path: SearchPath,
    catalogue: Arc<Catalogue>,
    temporary: HashSet<Box<str>>,
    /// Relations that this session made, with the schema they were made in: they are not in the
    /// catalogue before the transaction commits.
    created: HashMap<Box<str>, Box<str>>,
    stored: HashMap<Box<str>, Arc<Analysis>>,
    answers: HashMap<Box<str>, Arc<[Box<str>]>>,
    resolved: HashMap<usize, Resolved>,
}

struct Resolved {
    /// Keeps the address, which is the key, from being used again.
    _analysis: Arc<Analysis>,
    effects: Effects,
    generation: u64,
    at: Instant,
}

impl Resolver {
    pub(crate) fn new(database: &str, path: SearchPath, catalogue: Arc<Catalogue>) -> Self {
        Self {
            database: database.into(),
            login_path: path.clone(),
            path,
            coming: None,
            catalogue,
            temporary: HashSet::new(),
            created: HashMap::new(),
            stored: HashMap::new(),
            answers: HashMap::new(),
            resolved: HashMap::new(),
        }
    }

    pub(crate) fn set_path(&mut self, path: SearchPath) {
        self.path = path;
        self.resolved.clear();
    }

    pub(crate) fn learn(&mut self, answers: Vec<(Box<str>, Vec<Box<str>>)>) {
        self.answers = answers.into_iter().map(|(name, schemas)| (name, schemas.into())).collect();
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
        if self.resolved.len() >= MAX_RESOLVED {
            self.resolved.clear();
        }
        let kept = Resolved { _analysis: Arc::clone(analysis), effects: effects.clone(), generation, at: now };
        self.resolved.insert(key, kept);
        Ok(effects)
    }

    fn missing(&mut self, analysis: &Analysis, now: Instant) -> Vec<Box<str>> {
        let stored = analysis.statements.iter().filter_map(classify::runs).filter_map(|name| self.stored.get(name));
        let inner: Vec<Arc<Analysis>> = stored.cloned().collect();
        let names = classify::relations(analysis).chain(inner.iter().flat_map(|inner| classify::relations(inner)));
        let mut missing: Vec<Box<str>> = Vec::new();
        for name in names {
            if self.answers.contains_key(name) || missing.iter().any(|known| &**known == name) {
                continue;
            }
            match self.catalogue.schemas(name, now) {
                Some(schemas) => {
                    self.answers.insert(name.into(), schemas);
                }
                None => missing.push(name.into()),
            }
        }
        missing
    }

    /// Follows what the target has done: `statement` of `analysis` is complete.
    pub(crate) fn done(&mut self, analysis: &Arc<Analysis>, statement: usize, in_transaction: bool) {
        if classify::changes_catalogue(analysis) {
            self.catalogue.forget();
        }
        let Some(statement) = analysis.statements.get(statement) else { return };
        let Some(change) = &statement.change else { return };
        self.resolved.clear();
        match change {
            SessionChange::Set { name, values, local } if &**name == "search_path" => {
                self.path = SearchPath::Unknown;
                // Inside a transaction block the change may be undone later, and that is not followed.
                self.coming = values.as_ref().filter(|_| !local && !in_transaction).map(|values| path_of(values));
            }
            SessionChange::Reset { name } if &**name == "search_path" => self.reset_path(in_transaction),
            SessionChange::ResetAll => self.reset_path(in_transaction),
            SessionChange::DiscardAll => {
                self.reset_path(in_transaction);
                self.stored.clear();
                self.temporary.clear();
            }
            SessionChange::SetRole { .. } | SessionChange::SetSessionAuthorization { .. } => {
                self.path = SearchPath::Unknown
            }
            SessionChange::Unknown => {
                self.path = SearchPath::Unknown;
                self.stored.clear();
            }
            SessionChange::Deallocate { name: Some(name) } | SessionChange::Close { name: Some(name) } => {
                self.stored.remove(name);
            }
            SessionChange::Deallocate { name: None } => self.stored.clear(),
            SessionChange::CreateTemp { name } => follow(&mut self.temporary, name),
            SessionChange::Prepare { name, analysis } | SessionChange::Declare { name, analysis }
                if self.stored.len() < MAX_FOLLOWED || self.stored.contains_key(name) =>
            {
                self.stored.insert(name.clone(), Arc::clone(analysis));
            }
            _ => {}
        }
    }

    /// A transaction, explicit or not, has ended, and well or not.
    pub(crate) fn ended(&mut self, well: bool) {
        if let Some(path) = self.coming.take().filter(|_| well) {
            self.set_path(path);
        }
    }

    /// A relation that the session makes without naming a schema.
    pub(crate) fn making(&mut self, analysis: &Analysis) {
        let Some(schema) = self.path.creation().map(Box::<str>::from) else { return };
        for name in classify::created(analysis) {
            if self.created.len() < MAX_FOLLOWED {
                self.created.insert(name.into(), schema.clone());
            }
        }
    }

    fn reset_path(&mut self, in_transaction: bool) {
        self.path = SearchPath::Unknown;
        self.coming = (!in_transaction).then(|| self.login_path.clone());
    }
}

impl Names for Resolver {
    fn database(&self) -> &str {
        &self.database
    }

    fn schemas(&self, relation: &str) -> Vec<Box<str>> {
        let holders = self.answers.get(relation).map_or(&[][..], |schemas| schemas);
        let mut found = candidates(relation, &self.path, holders, &self.temporary);
        if let ([only], Some(schema)) = (&mut found[..], self.created.get(relation))
            && &**only == NOWHERE
        {
            *only = schema.clone();
        }
        found
    }

    fn stored(&self, name: &str) -> Option<Arc<Analysis>> {
        self.stored.get(name).cloned()
    }
}

/// A path that a statement sets. One with `$user` depends on roles and is not followed.
fn path_of(values: &[Box<str>]) -> SearchPath {
    if values.iter().any(|value| &**value == "$user") {
        return SearchPath::Unknown;
    }
    SearchPath::of(values.iter().filter(|value| !value.is_empty()).cloned())
}

fn follow(names: &mut HashSet<Box<str>>, name: &str) {
    if names.len() < MAX_FOLLOWED {
        names.insert(name.into());
    }
}
