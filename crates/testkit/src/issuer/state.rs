//! What a running issuer remembers: its keys, people, clients, faults and counters.
//!
//! It does not know how it is asked; the endpoints are in `http`, `token` and `device`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::claims::Claims;
use super::code::Codes;
use super::device::Devices;
use super::keys::Keys;

/// A person who can log in at the device page.
#[derive(Debug, Clone)]
pub struct Person {
    /// What the page shows, and what `sub` says.
    pub name: String,
    /// What their tokens say.
    pub claims: Claims,
}

/// How the issuer misbehaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// It closes connections without an answer.
    Down,
    /// It answers discovery and keys with status 500.
    Failing,
    /// It answers discovery and keys only after this time.
    Slow(Duration),
    /// Its discovery document names this issuer.
    DiscoveryIssuer(String),
    /// Its discovery document says that the keys are at this URL.
    KeysAt(String),
    /// Its discovery document lists these algorithms.
    Algorithms(Vec<String>),
    /// Its discovery document is longer than 1 MiB.
    HugeDiscovery,
    /// Its key set is longer than 1 MiB.
    HugeKeys,
    /// Its key set is no JSON.
    BrokenKeys,
    /// Its key set is empty.
    NoKeys,
    /// Its key set holds a symmetric key, under this `kid`, and nothing else.
    SymmetricKey(String),
    /// It sends whoever asks for the keys elsewhere.
    RedirectKeys(String),
}

/// How often the endpoints were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// The discovery document.
    pub discovery: u64,
    /// The key set.
    pub keys: u64,
    /// The token endpoint.
    pub token: u64,
    /// The device authorization endpoint.
    pub device: u64,
}

/// The counters behind [`Counts`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) discovery: AtomicU64,
    pub(super) keys: AtomicU64,
    pub(super) token: AtomicU64,
    pub(super) device: AtomicU64,
}

pub(super) struct State {
    pub(super) url: String,
    pub(super) counters: Counters,
    keys: Keys,
    devices: Devices,
    codes: Codes,
    serial: AtomicU64,
    settings: Mutex<Settings>,
}

struct Settings {
    fault: Fault,
    cache_control: Option<String>,
    people: Vec<Person>,
    clients: HashMap<String, (String, Claims)>,
}

impl State {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let settings = Settings {
            fault: Fault::None,
            cache_control: Some(String::from("public, max-age=3600")),
            people: Vec::new(),
            clients: HashMap::new(),
        };
        Ok(Self {
            url: url.to_owned(),
            counters: Counters::default(),
            keys: Keys::new()?,
            devices: Devices::default(),
            codes: Codes::default(),
            serial: AtomicU64::new(1),
            settings: Mutex::new(settings),
        })
    }

    pub(super) const fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) const fn devices(&self) -> &Devices {
        &self.devices
    }

    pub(super) const fn codes(&self) -> &Codes {
        &self.codes
    }

    pub(super) fn complete(&self, claims: &Claims) -> Value {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        claims.complete(&self.url, &format!("token-{serial}"))
    }

    pub(super) fn mint(&self, claims: &Claims) -> String {
        let pair = self.keys.current(claims.rsa);
        pair.sign(&pair.header(), &self.complete(claims))
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counts {
            discovery: read(&self.counters.discovery),
            keys: read(&self.counters.keys),
            token: read(&self.counters.token),
            device: read(&self.counters.device),
        }
    }

    pub(super) fn fault(&self) -> Fault {
        self.lock().fault.clone()
    }

    pub(super) fn break_with(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    pub(super) fn caching(&self) -> Option<String> {
        self.lock().cache_control.clone()
    }

    pub(super) fn cache_control(&self, value: Option<&str>) {
        self.lock().cache_control = value.map(str::to_owned);
    }

    pub(super) fn people(&self) -> Vec<Person> {
        self.lock().people.clone()
    }

    pub(super) fn add_person(&self, person: Person) {
        self.lock().people.push(person);
    }

    pub(super) fn add_client(&self, id: &str, secret: &str, claims: Claims) {
        self.lock().clients.insert(id.to_owned(), (secret.to_owned(), claims));
    }

    /// The claims of a registered client that knows its secret.
    pub(super) fn client(&self, id: &str, secret: &str) -> Option<Claims> {
        let settings = self.lock();
        settings.clients.get(id).filter(|(known, _)| known == secret).map(|(_, claims)| claims.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
