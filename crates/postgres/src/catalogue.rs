//! What the gate knows of each database's catalogue: which schemas hold a relation of a name, and
//! what is known of the relations themselves.
//!
//! Answers come from a connection of the gate's own (`serve/lookup.rs`) and age quickly; any DDL
//! that passes the gate drops them at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::relations::{Found, Relations};

/// How long an answer is good: the bound on what a change past the gate can go unnoticed.
pub(crate) const FRESH: Duration = Duration::from_secs(5);

/// The most names kept per database.
const MAX_NAMES: usize = 50_000;

/// The most databases kept per target.
const MAX_DATABASES: usize = 1_000;

/// The catalogues of a target's databases.
#[derive(Debug, Default)]
pub(crate) struct Catalogues(Mutex<HashMap<Box<str>, Arc<Catalogue>>>);

/// What is known of one database.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    names: Mutex<HashMap<Box<str>, Answer>>,
    relations: Mutex<Relations>,
    generation: AtomicU64,
}

#[derive(Debug, Clone)]
struct Answer {
    schemas: Arc<[Box<str>]>,
    learned: Instant,
}

impl Catalogues {
    /// The catalogue of a database.
    pub(crate) fn of(&self, database: &str) -> Arc<Catalogue> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DATABASES && !known.contains_key(database) {
            known.retain(|_, catalogue| Arc::strong_count(catalogue) > 1);
        }
        Arc::clone(known.entry(database.into()).or_default())
    }
}

impl Catalogue {
    /// The schemas that hold a relation called `name`, where a fresh answer is known.
    pub(crate) fn schemas(&self, name: &str, now: Instant) -> Option<Arc<[Box<str>]>> {
        let names = self.lock();
        let answer = names.get(name)?;
        (now.saturating_duration_since(answer.learned) < FRESH).then(|| Arc::clone(&answer.schemas))
    }

    /// Keeps the answers of a lookup that began in `generation`; a lookup that DDL overtook is
    /// not kept.
    pub(crate) fn learn(
        &self,
        generation: u64,
        now: Instant,
        answers: impl IntoIterator<Item = (Box<str>, Vec<Box<str>>)>,
    ) {
        let mut names = self.lock();
        if self.generation() != generation {
            return;
        }
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        for (name, schemas) in answers {
            names.insert(name, Answer { schemas: schemas.into(), learned: now });
        }
    }

    /// Looks at the relations that are known.
    pub(crate) fn relations<T>(&self, look: impl FnOnce(&Relations) -> T) -> T {
        look(&self.relations.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As [`learn`](Self::learn), for relations.
    pub(crate) fn learn_relations(&self, generation: u64, now: Instant, found: &Found) {
        let mut relations = self.relations.lock().unwrap_or_else(PoisonError::into_inner);
        if self.generation() == generation {
            relations.learn(found, now);
        }
    }

    /// Forgets everything: something changed the catalogue, or may have.
    pub(crate) fn forget(&self) {
        let mut names = self.lock();
        let mut relations = self.relations.lock().unwrap_or_else(PoisonError::into_inner);
        self.generation.fetch_add(1, Ordering::SeqCst);
        names.clear();
        *relations = Relations::default();
    }

    /// Changes whenever everything was forgotten.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Answer>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long resolved effects may be used again without asking [`Catalogue::schemas`].
pub(crate) const RESOLVED_FRESH: Duration = FRESH;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Catalogue, FRESH};

    #[test]
    fn an_answer_ages_and_is_forgotten() {
        let catalogue = Catalogue::default();
        let now = Instant::now();
        catalogue.learn(0, now, [("t".into(), vec!["public".into()])]);
        assert_eq!(catalogue.schemas("t", now).unwrap().len(), 1);
        assert!(catalogue.schemas("t", now + FRESH).is_none());
        catalogue.forget();
        assert!(catalogue.schemas("t", now).is_none());
    }

    #[test]
    fn a_lookup_that_ddl_overtook_is_not_kept() {
        let catalogue = Catalogue::default();
        catalogue.forget();
        catalogue.learn(0, Instant::now(), [("t".into(), vec![])]);
        assert!(catalogue.schemas("t", Instant::now()).is_none());
    }
}
