//! The sealer: one thread that seals what sessions leave in their tails and signs what is sealed.
//! No session waits for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use portcullis_core::clock::unix_micros;

use super::checkpoint::Entry;
use super::health::count;
use super::ledger::Ledger;
use super::live::Live;
use super::packer::{Packer, Sealed};
use super::seal::{Unsynced, seal};
use super::shared::{Shared, Task, lock};

/// Up to so many recordings are brought to disk one by one; beyond, the whole file system is.
const ONE_BY_ONE: usize = 16;
/// How often the last round is tried when the spool is closed.
const LAST_TRIES: usize = 3;

/// The sealer's own.
pub(super) struct Sealer {
    shared: Arc<Shared>,
    packer: Packer,
    ledger: Ledger,
    /// Sealed, on disk, and not signed yet.
    unsigned: BTreeMap<u64, (Arc<Live>, Sealed)>,
}

impl Sealer {
    pub(super) fn new(shared: Arc<Shared>, ledger: Ledger) -> io::Result<Self> {
        let limit = usize::try_from(shared.segment_bytes).unwrap_or(usize::MAX);
        Ok(Self { shared, packer: Packer::new(limit)?, ledger, unsigned: BTreeMap::new() })
    }

    /// Works until it is told to stop. An error says what could not be sealed then.
    pub(super) fn run(mut self) -> Result<(), String> {
        let mut last = Instant::now();
        loop {
            match self.shared.wake.wait(last, self.shared.checkpoint_every) {
                Task::Big => self.seal_long(),
                Task::Round => {
                    last = Instant::now();
                    // Failures are counted and logged where they happen, and tried again next time.
                    let _ = self.round();
                }
                Task::Stop => return self.finish(),
            }
        }
    }

    fn round(&mut self) -> Result<(), String> {
        let since = self.shared.health.micros();
        let listed = std::mem::take(&mut *lock(&self.shared.dirty));
        let sealed = self.seal(listed);
        // One session that cannot be sealed keeps no other from being signed.
        let done = self.sign().and(sealed);
        self.shared.space.look(&self.shared.directory);
        match &done {
            Ok(()) => self.shared.health.signed(since, !lock(&self.shared.dirty).is_empty()),
            Err(why) => tracing::error!(error = %why, "recordings could not be sealed; this is tried again"),
        }
        done
    }

    /// Seals what is long, so that no segment has to hold much; signing waits for the round.
    fn seal_long(&mut self) {
        let listed = std::mem::take(&mut *lock(&self.shared.dirty));
        let is_long = |live: &Arc<Live>| live.writer().tail_len() >= self.shared.segment_bytes;
        let (long, other): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_long);
        lock(&self.shared.dirty).extend(other);
        if let Err(why) = self.seal(long) {
            tracing::error!(error = %why, "recordings could not be sealed; this is tried again");
        }
    }

    /// Seals sessions and brings that to disk. Those for which it fails stay listed.
    fn seal(&mut self, listed: Vec<Arc<Live>>) -> Result<(), String> {
        let mut result = Ok(());
        let one_by_one = listed.len() <= ONE_BY_ONE;
        let mut written = Vec::with_capacity(listed.len());
        for live in listed {
            live.unlist();
            let sealed = seal(&live, &mut self.packer).and_then(|unsynced| match unsynced {
                Some(unsynced) if one_by_one => self.shared.disk.sync(&unsynced.file).map(|()| Some(unsynced)),
                other => Ok(other),
            });
            match sealed {
                Ok(unsynced) => written.extend(unsynced),
                Err(why) => result = Err(self.failed(&live, &why)),
            }
        }
        if !one_by_one && let Err(why) = self.shared.directory.sync_file_system() {
            for unsynced in written {
                result = Err(self.failed(&unsynced.live, &why));
            }
            return result;
        }
        written.into_iter().for_each(|unsynced| self.settle(unsynced));
        result
    }

    fn failed(&self, live: &Arc<Live>, why: &io::Error) -> String {
        count(&self.shared.health.failures);
        live.list();
        format!("session {}: {why}", live.number)
    }

    fn settle(&mut self, unsynced: Unsynced) {
        let (live, sealed) = unsynced.settle();
        count(&self.shared.health.segments);
        if live.is_closing() && !sealed.finished {
            live.list();
            self.shared.wake.closed();
        }
        self.unsigned.insert(live.number, (live, sealed));
    }

    /// Signs what is sealed. Names of files are brought to disk first, so that no checkpoint speaks
    /// of a file that a crash can take away.
    fn sign(&mut self) -> Result<(), String> {
        if self.unsigned.is_empty() {
            return Ok(());
        }
        let next = lock(&self.shared.numbers).next;
        let entries: Vec<Entry> = self.unsigned.iter().map(|(number, (_, sealed))| entry(*number, sealed)).collect();
        let at = unix_micros(self.shared.clock.now());
        let signed = self.shared.directory.sync().and_then(|()| self.ledger.sign(&self.shared, at, next, &entries));
        if let Err(why) = signed {
            count(&self.shared.health.failures);
            return Err(format!("the checkpoint cannot be written: {why}"));
        }
        let mut live = lock(&self.shared.live);
        for (number, (_, sealed)) in std::mem::take(&mut self.unsigned) {
            if sealed.finished {
                live.remove(&number);
            }
        }
        Ok(())
    }

    /// Ends every session that is still open, and seals and signs all.
    fn finish(mut self) -> Result<(), String> {
        lock(&self.shared.numbers).ended = true;
        let open: Vec<Arc<Live>> = lock(&self.shared.live).values().map(Arc::clone).collect();
        for live in open {
            let mut writer = live.writer();
            // A flush that fails is tried again by the round.
            let _ = writer.flush(&self.shared);
            writer.end("the spool is closed");
            drop(writer);
            live.close();
            live.list();
        }
        let mut result = Ok(());
        for _ in 0..LAST_TRIES {
            result = self.round();
            if lock(&self.shared.live).is_empty() {
                return result;
            }
        }
        result.and_then(|()| Err(String::from("some sessions could not be sealed")))
    }
}

const fn entry(session: u64, sealed: &Sealed) -> Entry {
    Entry { session, size: sealed.len, closed: sealed.finished, chain: sealed.chain }
}
