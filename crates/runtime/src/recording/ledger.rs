//! The gate's checkpoint log as its owner sees it: it finds the signing key's place in the log, and
//! signs. The old secret is gone before the next checkpoint is written.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::sync::atomic::Ordering;

use super::checkpoint::{Entry, Head, LogHeader, MAX_ENTRIES, signed};
use super::damage::ReadError;
use super::directory::Directory;
use super::disk::Disk;
use super::format::{Digest, sum};
use super::key::{Key, Secret};
use super::log::{Log, Step};
use super::shared::Shared;
use super::spool::SpoolError;

/// The log and the key, ready to sign.
pub(super) struct Ledger {
    file: File,
    len: u64,
    before: Digest,
    key: Key,
    /// The gate's first public key.
    pub(super) root: [u8; 32],
}

/// What the log says about the past.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The last word on each recording.
    pub(super) entries: HashMap<u64, Entry>,
    /// Every session below it was opened.
    pub(super) next_session: u64,
}

impl Ledger {
    /// Opens the log and the key, or makes both in a folder that has neither.
    pub(super) fn open(
        directory: &Directory,
        gate: &str,
        disk: &dyn Disk,
        first: impl FnOnce() -> io::Result<Secret>,
    ) -> Result<(Self, Past), SpoolError> {
        let (path, key_path) = (directory.log(), directory.key());
        let key = match Key::load(&key_path) {
            Ok(key) => Some(key),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(SpoolError::io("the signing key", source)),
        };
        let log = match File::open(&path) {
            Ok(file) => Log::begin(BufReader::new(file), path.clone(), false)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(SpoolError::io("the checkpoint log", source)),
        };
        match (key, log) {
            (Some(key), Some(log)) => Self::resume(log, key, gate, disk, &path),
            (None, Some(_)) => Err(SpoolError::Key("the log of checkpoints has no signing key beside it")),
            (Some(key), None) if key.number > 0 => {
                Err(SpoolError::Key("the signing key has signed checkpoints, and their log is gone"))
            }
            (key, None) => {
                let made = key.map_or_else(|| Key::make(&key_path, disk, first()?), Ok);
                let key = made.map_err(|source| SpoolError::io("the signing key", source))?;
                Self::make(directory, gate, key, disk).map_err(|source| SpoolError::io("the checkpoint log", source))
            }
        }
    }

    fn make(directory: &Directory, gate: &str, key: Key, disk: &dyn Disk) -> io::Result<(Self, Past)> {
        // The key is on disk before anything that names it.
        directory.sync()?;
        let root = key.secret.public()?;
        let header = LogHeader { root, gate: gate.to_owned() };
        let bytes = header.encode();
        let file = disk.create(&directory.log())?;
        disk.write(&file, &bytes, 0)?;
        disk.sync(&file)?;
        directory.sync()?;
        let past = Past { entries: HashMap::new(), next_session: 1 };
        Ok((Self { file, len: bytes.len() as u64, before: header.digest(), key, root }, past))
    }

    fn resume(
        mut log: Log<BufReader<File>>,
        mut key: Key,
        gate: &str,
        disk: &dyn Disk,
        path: &std::path::Path,
    ) -> Result<(Self, Past), SpoolError> {
        let mut past = Past::default();
        while let Step::Checkpoint(_, entries) = log.next()? {
            past.entries.extend(entries.into_iter().map(|entry| (entry.session, entry)));
        }
        past.next_session = log.next_session;
        if log.header.gate != gate {
            return Err(SpoolError::OtherGate(log.header.gate));
        }
        catch_up(&mut key, &log).map_err(|source| SpoolError::io("the signing key", source))?;
        if key.number != log.number || key.secret.public().ok() != Some(log.key) {
            return Err(SpoolError::Key("the signing key is not the one that the log of checkpoints announces"));
        }
        let opened = key.store(disk).and_then(|()| OpenOptions::new().read(true).write(true).open(path));
        let file = opened.map_err(|source| SpoolError::io("the checkpoint log", source))?;
        Ok((Self { file, len: log.at, before: log.before, key, root: log.header.root }, past))
    }

    /// Whether nothing was ever signed.
    pub(super) const fn is_new(&self) -> bool {
        self.key.number == 0
    }

    /// Vouches for recordings as they are now on disk, and moves the key on.
    pub(super) fn sign(&mut self, shared: &Shared, at: u64, next_session: u64, entries: &[Entry]) -> io::Result<()> {
        if entries.is_empty() {
            return self.sign_some(shared, at, next_session, entries);
        }
        entries.chunks(MAX_ENTRIES).try_for_each(|some| self.sign_some(shared, at, next_session, some))
    }

    fn sign_some(&mut self, shared: &Shared, at: u64, next_session: u64, entries: &[Entry]) -> io::Result<()> {
        let disk = &*shared.disk;
        let head = Head {
            entries: u32::try_from(entries.len()).map_err(io::Error::other)?,
            number: self.key.number,
            at,
            next_session,
            before: self.before,
            next_key: self.key.secret.next()?.public()?,
        };
        let mut bytes = Vec::new();
        head.put(&mut bytes);
        entries.iter().for_each(|entry| entry.put(&mut bytes));
        let signature = self.key.secret.sign(&signed(&bytes))?;
        bytes.extend_from_slice(&signature);
        if self.file.metadata()?.len() > self.len {
            self.file.set_len(self.len)?;
        }
        disk.write(&self.file, &bytes, self.len)?;
        disk.sync(&self.file)?;
        self.len = self.len.saturating_add(bytes.len() as u64);
        self.before = sum(&[&bytes]);
        shared.space.add(bytes.len() as u64);
        shared.health.checkpoints.fetch_add(1, Ordering::Relaxed);
        if let Err(why) = self.key.advance(disk) {
            // The checkpoint counts, and the key has moved; only its old secret lives longer.
            shared.health.failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(error = %why, "the old signing key could not be erased; this is tried with the next");
        }
        Ok(())
    }
}

/// A crash may have come between checkpoints and the erasure of their keys: the key moves on to
/// where the log is.
fn catch_up(key: &mut Key, log: &Log<BufReader<File>>) -> io::Result<()> {
    while key.number < log.number {
        key.secret = key.secret.next()?;
        key.number = key.number.saturating_add(1);
    }
    Ok(())
}

impl From<io::Error> for SpoolError {
    fn from(source: io::Error) -> Self {
        Self::io("the spool", source)
    }
}

impl From<ReadError> for SpoolError {
    fn from(why: ReadError) -> Self {
        Self::Damaged(why)
    }
}
