//! Analyses by text and by shape, within a bound on memory.
//!
//! Keys are compared in full, so that no collision of hashes gives one text another's effects. The
//! hash is seeded per cache with a secret, so that nobody can aim for collisions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;

use super::Settings;
use crate::Analysis;

/// How many locks share the entries.
const SHARDS: usize = 16;

/// Keys longer than this are not remembered.
const MAX_KEY: usize = 16 << 10;

/// What an entry costs beside its key and its analysis, about.
const OVERHEAD: usize = 96;

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The exact text.
    Text,
    /// The text without its literals.
    Shape,
}

/// Remembers analyses. Two generations: what is used moves to the young one; when that is full, the
/// old one is dropped and the young one grows old.
#[derive(Debug)]
pub(crate) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    shard_bytes: usize,
}

#[derive(Debug)]
struct Shard {
    young: Generation,
    old: Generation,
    young_bytes: usize,
}

/// A map for each sort of key, so that a key is looked up as the bytes that it is.
type Generation = [HashMap<Box<[u8]>, Arc<Analysis>, RandomState>; 8];

impl Cache {
    /// A cache that keeps at most `bytes` bytes, about.
    pub(crate) fn new(bytes: usize) -> Self {
        let seed = RandomState::default();
        let shard = || Mutex::new(Shard { young: generation(&seed), old: generation(&seed), young_bytes: 0 });
        Self { shards: std::array::from_fn(|_| shard()), shard_bytes: bytes / SHARDS }
    }

    /// What is remembered under a key.
    pub(crate) fn get(&self, by: By, settings: Settings, key: &[u8]) -> Option<Arc<Analysis>> {
        if key.len() > MAX_KEY {
            return None;
        }
        let mut shard = self.shard(key);
        let shard = &mut *shard;
        let sort = sort(by, settings);
        if let Some(known) = shard.young.get(sort)?.get(key) {
            return Some(Arc::clone(known));
        }
        let (key, known) = shard.old.get_mut(sort)?.remove_entry(key)?;
        shard.insert(sort, key, Arc::clone(&known), self.shard_bytes);
        Some(known)
    }

    /// Remembers an analysis under a key.
    pub(crate) fn insert(&self, by: By, settings: Settings, key: &[u8], analysis: &Arc<Analysis>) {
        if key.len() > MAX_KEY || cost(key, analysis) > self.shard_bytes / 2 {
            return;
        }
        self.shard(key).insert(sort(by, settings), key.into(), Arc::clone(analysis), self.shard_bytes);
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let spread = key.iter().rev().take(8).fold(key.len(), |sum, byte| sum.wrapping_mul(31) ^ usize::from(*byte));
        let [first, ..] = &self.shards;
        // A lock is poisoned only by a panic between two changes of a map; either state is sound.
        self.shards.get(spread % SHARDS).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn insert(&mut self, sort: usize, key: Box<[u8]>, analysis: Arc<Analysis>, bytes: usize) {
        self.young_bytes += cost(&key, &analysis);
        if let Some(map) = self.young.get_mut(sort) {
            map.insert(key, analysis);
        }
        if self.young_bytes > bytes / 2 {
            std::mem::swap(&mut self.young, &mut self.old);
            for map in &mut self.young {
                *map = HashMap::with_hasher(map.hasher().clone());
            }
            self.young_bytes = 0;
        }
    }
}

fn generation(seed: &RandomState) -> Generation {
    std::array::from_fn(|_| HashMap::with_hasher(seed.clone()))
}

fn cost(key: &[u8], analysis: &Analysis) -> usize {
    key.len() + analysis.weight + OVERHEAD
}

fn sort(by: By, settings: Settings) -> usize {
    usize::from(by == By::Shape)
        | usize::from(settings.standard_conforming_strings) << 1
        | usize::from(settings.utf8) << 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analysis(weight: usize) -> Arc<Analysis> {
        Arc::new(Analysis { statements: Vec::new(), weight })
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let cache = Cache::new(SHARDS * 8192);
        let settings = Settings::default();
        cache.insert(By::Text, settings, b"hot", &analysis(100));
        for n in 0..20_000 {
            cache.insert(By::Text, settings, format!("cold {n}").as_bytes(), &analysis(100));
            assert!(cache.get(By::Text, settings, b"hot").is_some(), "{n}");
        }
        assert!(cache.get(By::Text, settings, b"cold 1").is_none());
    }

    #[test]
    fn memory_stays_within_the_bound() {
        let cache = Cache::new(1 << 20);
        for n in 0..50_000 {
            cache.insert(By::Shape, Settings::default(), format!("key {n}").as_bytes(), &analysis(100));
        }
        let held: usize = cache.shards.iter().map(|shard| held(&shard.lock().unwrap())).sum();
        assert!(held <= 1 << 20, "{held}");
    }

    fn held(shard: &Shard) -> usize {
        shard.young.iter().chain(&shard.old).flatten().map(|(key, analysis)| cost(key, analysis)).sum()
    }

    #[test]
    fn a_text_is_not_found_as_a_shape_or_under_other_settings() {
        let cache = Cache::new(1 << 20);
        let settings = Settings::default();
        cache.insert(By::Text, settings, b"a", &analysis(1));
        assert!(cache.get(By::Shape, settings, b"a").is_none());
        let other = Settings { standard_conforming_strings: false, ..settings };
        assert!(cache.get(By::Text, other, b"a").is_none());
    }
}
