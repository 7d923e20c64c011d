//! The spool: one gate's folder of recordings, behind core's recorder port.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use portcullis_core::clock::{Clock, unix_micros};
use portcullis_core::recording::{Event, Opening, RecordError, Recorder, Recording};

use super::config::{Config, TargetRecording};
use super::damage::ReadError;
use super::directory::{self, Directory};
use super::disk::{Disk, RealDisk};
use super::health::SpoolHealth;
use super::key::Secret;
use super::ledger::Ledger;
use super::live::{Handle, Live};
use super::pool::Pool;
use super::recover::recover;
use super::root::RootKey;
use super::sealer::Sealer;
use super::shared::{Numbers, Shared, Wake, lock};
use super::space::Space;

/// The most sessions that may be over and not sealed. When the sealer is further behind than this,
/// no session begins.
const MAX_UNSEALED: u64 = 4096;

/// Why the spool cannot be opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The configuration asks for what cannot be.
    #[error("{0}")]
    Config(String),
    /// Another gate writes to this folder.
    #[error("another gate is recording to `{0}`")]
    Locked(String),
    /// The folder's recordings are another gate's.
    #[error("the folder holds the recordings of the gate `{0}`; give each gate a folder of its own")]
    OtherGate(String),
    /// The signing key does not fit the log of checkpoints.
    #[error("{0}; it was altered or comes from a backup: move the folder away and verify it, and begin with a new one")]
    Key(&'static str),
    /// The log of checkpoints is not as it was written.
    #[error("{0}; move the folder away and verify it, and begin with a new one")]
    Damaged(ReadError),
    /// The system does not do what it is asked.
    #[error("{what} cannot be used: {source}")]
    Io {
        /// What it was about.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// At the end, some recordings could not be sealed. Their tails stay, and the next start seals them.
    #[error("not everything could be sealed: {0}")]
    Unsealed(String),
}

impl SpoolError {
    pub(super) const fn io(what: &'static str, source: io::Error) -> Self {
        Self::Io { what, source }
    }
}

/// One gate's recordings. Sessions are recorded through [`recorder`](Spool::recorder); a thread of
/// the spool's own seals and signs them. Call [`close`](Spool::close) when the last session is over.
pub struct Spool {
    shared: Arc<Shared>,
    best_effort: bool,
    sealer: Mutex<Option<JoinHandle<Result<(), String>>>>,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("dir", &self.shared.directory.0).finish_non_exhaustive()
    }
}

impl Spool {
    /// Opens the folder, makes it if it is missing, and seals what a gate that died left in it. The
    /// folder is locked until the spool and all its recordings are dropped.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, SpoolError> {
        Self::open_on(config, clock, Arc::new(RealDisk), Secret::random)
    }

    /// As [`open`](Self::open), on this disk and with this first secret.
    pub(super) fn open_on(
        config: &Config,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
        first: impl FnOnce() -> io::Result<Secret>,
    ) -> Result<Self, SpoolError> {
        config.check().map_err(SpoolError::Config)?;
        let directory = Directory(config.dir.clone());
        directory.make().map_err(|source| SpoolError::io("the folder", source))?;
        let held = directory.lock().map_err(|source| SpoolError::io("the lock", source))?;
        let held = held.ok_or_else(|| SpoolError::Locked(config.dir.display().to_string()))?;
        Pool::clear(&directory)?;
        let (mut ledger, past) = Ledger::open(&directory, &config.gate, &*disk, first)?;
        let health = Arc::new(SpoolHealth::new());
        let space = Space::new(config.max_bytes, config.min_free_bytes, Arc::clone(&health));
        space.measure(&directory);
        let shared = Arc::new(Shared {
            directory,
            gate: config.gate.clone(),
            root: ledger.root,
            durability: config.durability,
            segment_bytes: u64::from(config.segment_bytes),
            checkpoint_every: config.checkpoint_every,
            disk,
            clock,
            space,
            pool: Pool::default(),
            health,
            wake: Wake::default(),
            dirty: Mutex::default(),
            numbers: Mutex::new(Numbers { next: past.next_session, ended: false }),
            live: Mutex::new(HashMap::new()),
            _lock: held,
        });
        let (entries, next) = recover(&shared, &past)?;
        lock(&shared.numbers).next = next;
        // A log begins with a checkpoint, so that its header is signed as well.
        if !entries.is_empty() || ledger.is_new() {
            let at = unix_micros(shared.clock.now());
            ledger.sign(&shared, at, next, &entries).map_err(|source| SpoolError::io("the checkpoint log", source))?;
        }
        shared.space.measure(&shared.directory);
        shared.space.look(&shared.directory);
        let sealer = Sealer::new(Arc::clone(&shared), ledger)?;
        let thread = std::thread::Builder::new()
            .name(String::from("sealer"))
            .spawn(move || sealer.run())
            .map_err(|source| SpoolError::io("the sealer's thread", source))?;
        Ok(Self { shared, best_effort: config.best_effort, sealer: Mutex::new(Some(thread)) })
    }

    /// The recorder of one target's sessions.
    pub fn recorder(&self, target: TargetRecording) -> Arc<dyn Recorder> {
        let best_effort = target.best_effort.unwrap_or(self.best_effort);
        Arc::new(TargetRecorder { shared: Arc::clone(&self.shared), best_effort })
    }

    /// How the spool is doing.
    pub fn health(&self) -> Arc<SpoolHealth> {
        Arc::clone(&self.shared.health)
    }

    /// The gate's first public key: what a verifier needs to trust nothing else here.
    pub fn root_key(&self) -> RootKey {
        RootKey(self.shared.root)
    }

    /// Ends every recording that is still open, seals and signs all, and stops the spool's thread.
    /// It waits for the disk. Afterwards nothing can be recorded.
    pub fn close(&self) -> Result<(), SpoolError> {
        self.shared.wake.stop();
        let Some(thread) = lock(&self.sealer).take() else { return Ok(()) };
        match thread.join() {
            Ok(result) => result.map_err(SpoolError::Unsealed),
            Err(_) => Err(SpoolError::Unsealed(String::from("the sealer failed"))),
        }
    }
}

#[cfg(test)]
impl Spool {
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // The thread seals everything and ends; nobody waits for it here.
        self.shared.wake.stop();
    }
}

/// Opens recordings for one target.
struct TargetRecorder {
    shared: Arc<Shared>,
    best_effort: bool,
}

impl Recorder for TargetRecorder {
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn Recording>, RecordError> {
        let shared = &self.shared;
        // One session begins at a time, so that a number that could not be used is used by the next.
        let mut numbers = lock(&shared.numbers);
        if numbers.ended {
            return Err(RecordError(String::from("the spool is closed")));
        }
        let live = u64::try_from(lock(&shared.live).len()).unwrap_or(u64::MAX);
        if live.saturating_sub(shared.health.sessions_open()) > MAX_UNSEALED {
            return Err(RecordError(String::from("too many sessions wait to be sealed")));
        }
        let number = numbers.next;
        let live = Arc::new(Live::new(Arc::clone(shared), number, self.best_effort));
        live.begin(opening.at, &opened(opening, &directory::id(&shared.gate, number)))?;
        numbers.next = number.saturating_add(1);
        lock(&shared.live).insert(number, Arc::clone(&live));
        Ok(Box::new(Handle::new(live)))
    }
}

fn opened<'a>(opening: &'a Opening<'a>, session: &'a str) -> Event<'a> {
    let subject = opening.subject;
    Event::Opened {
        session: session.into(),
        protocol: opening.protocol.into(),
        target: subject.target.as_str().into(),
        client: subject.client.to_string().into(),
        application: subject.application.as_str().into(),
        identity: std::borrow::Cow::Borrowed(&subject.identity),
    }
}
