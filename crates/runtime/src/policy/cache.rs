//! What was found before, under a bound: sharded, keyed by digests, cheap to hit.
//!
//! Keys are compared whole, so no two questions share an answer. It does not know what the values
//! mean; the bundle owns it, so a reload begins with an empty one.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;

/// Shards, so that sessions on different processors seldom meet. A power of two.
const SHARDS: usize = 32;

/// Two digests, such as a subject's and an operation's.
pub(super) type Key = [[u8; 32]; 2];

/// A bounded map from digests to something that is cheap to clone.
pub(super) struct Cache<V> {
    shards: Vec<RwLock<HashMap<Key, V, RandomState>>>,
    hasher: RandomState,
    /// Entries of one shard.
    room: usize,
}

impl<V: Clone> Cache<V> {
    pub(super) fn new(room: usize) -> Self {
        let hasher = RandomState::default();
        let shards = (0..SHARDS).map(|_| RwLock::new(HashMap::with_hasher(hasher.clone()))).collect();
        Self { shards, hasher, room: room.div_ceil(SHARDS) }
    }

    pub(super) fn get(&self, key: &Key) -> Option<V> {
        self.shard(key)?.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Remembers a value; where there is no room, another one is forgotten.
    pub(super) fn put(&self, key: Key, value: V) {
        let Some(shard) = self.shard(&key) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= self.room
            && !shard.contains_key(&key)
            && let Some(other) = shard.keys().next().copied()
        {
            shard.remove(&other);
        }
        shard.insert(key, value);
    }

    fn shard(&self, key: &Key) -> Option<&RwLock<HashMap<Key, V, RandomState>>> {
        use std::hash::BuildHasher;
        let hash = self.hasher.hash_one(key);
        // The map within takes the lower bits.
        self.shards.get((hash >> 48) as usize & (SHARDS - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, SHARDS};

    fn key(number: u32) -> super::Key {
        let mut key = [[0; 32]; 2];
        key[1][..4].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn cache_gives_back_what_was_put() {
        let cache = Cache::new(1_000);
        cache.put(key(1), "one");
        cache.put(key(2), "two");
        assert_eq!((cache.get(&key(1)), cache.get(&key(2)), cache.get(&key(3))), (Some("one"), Some("two"), None));
    }

    #[test]
    fn cache_never_holds_more_than_it_has_room_for() {
        let cache = Cache::new(64);
        for number in 0..10_000 {
            cache.put(key(number), number);
        }
        let held: usize = cache.shards.iter().map(|shard| shard.read().unwrap().len()).sum();
        assert_eq!(held, 64_usize.div_ceil(SHARDS) * SHARDS);
        assert_eq!(cache.get(&key(9_999)), Some(9_999));
    }
}
