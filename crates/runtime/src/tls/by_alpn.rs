//! One rustls configuration for each list of application protocols that is asked for.
//!
//! rustls keeps that list inside the configuration; the rest of it is shared between them, session
//! tickets included.

use std::sync::{Arc, Mutex, PoisonError};

/// The lists are constants of protocol crates, so there are few of them.
type Alpn = &'static [&'static [u8]];

pub(super) struct ByAlpn<C> {
    base: C,
    set: fn(&mut C, Vec<Vec<u8>>),
    made: Mutex<Vec<(Alpn, Arc<C>)>>,
}

impl<C: Clone> ByAlpn<C> {
    pub(super) const fn new(base: C, set: fn(&mut C, Vec<Vec<u8>>)) -> Self {
        Self { base, set, made: Mutex::new(Vec::new()) }
    }

    pub(super) fn get(&self, alpn: Alpn) -> Arc<C> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = made.iter().find(|(known, _)| *known == alpn) {
            return Arc::clone(config);
        }
        let mut config = self.base.clone();
        (self.set)(&mut config, alpn.iter().map(|name| name.to_vec()).collect());
        let config = Arc::new(config);
        made.push((alpn, Arc::clone(&config)));
        config
    }
}
