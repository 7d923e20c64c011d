//! Verification: whether recordings are as the gate wrote and signed them. It needs no secret and no
//! lock, and works on files that are hostile; it never decides what to do about a finding.

mod cursor;
mod report;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

pub use report::{DirReport, FileReport, Signatures, State};

use super::checkpoint::Entry;
use super::damage::{Damage, ReadError};
use super::directory::{self, Directory, log_beside};
use super::log::{Log, Step};
use super::root::RootKey;
use cursor::{Cursor, Expected, Finished};

/// How long to wait for a running gate to complete what it is writing.
const PATIENCE: Duration = Duration::from_millis(40);
/// How often to wait.
const TRIES: u32 = 10;

/// Verifies one recording by the path of its sealed file, with the checkpoints beside it if there
/// are any. With `root`, they must be those of the gate with this key. An error means that a file
/// cannot be read, not that it is bad.
pub fn file(path: &Path, root: Option<&RootKey>) -> Result<FileReport, ReadError> {
    let mut cursor = Cursor::new(path.to_owned());
    let mut signed = Signed::open(&log_beside(path), root)?;
    let named = directory::number_at(path);
    let session = match named {
        Some(number) => Some(number),
        // A copy under another name says itself which session it is of.
        None => cursor.finish(Expected::default())?.session(),
    };
    for attempt in 0.. {
        let gate = signed.gate();
        let expected = Expected { session, gate: gate.as_ref().map(|(name, root)| (name.as_str(), *root)) };
        signed.each(|entry| if session == Some(entry.session) { cursor.vouch(entry, expected) } else { Ok(()) })?;
        let finished = cursor.finish(expected)?;
        if !signed.may_grow(finished.awaits_signature(), attempt)? {
            return Ok(finished.report(signed.signatures(&cursor)));
        }
    }
    Ok(cursor.finish(Expected::default())?.report(signed.signatures(&cursor)))
}

/// Verifies a folder: every checkpoint, every recording, and that no session's number is missing.
/// With `root`, it must be the folder of the gate with this key.
pub fn dir(path: &Path, root: Option<&RootKey>) -> Result<DirReport, ReadError> {
    let directory = Directory(path.to_owned());
    let mut signed = Signed::open(&directory.log(), root)?;
    let mut cursors: BTreeMap<u64, Cursor> = BTreeMap::new();
    let mut finished: BTreeMap<u64, Finished> = BTreeMap::new();
    for attempt in 0..=TRIES {
        let gate = signed.gate();
        let gate = gate.as_ref().map(|(name, root)| (name.as_str(), *root));
        let expected = |session| Expected { session: Some(session), gate };
        let new = |session| move || Cursor::new(Directory(path.to_owned()).sealed(session));
        signed.each(|entry| {
            let session = entry.session;
            cursors.entry(session).or_insert_with(new(session)).vouch(entry, expected(session))
        })?;
        // Listed after the log was read: what the log speaks of is there by now, if it is anywhere.
        for session in directory.sessions().map_err(|why| ReadError::io(path, why))?.into_keys() {
            cursors.entry(session).or_insert_with(new(session));
        }
        for (session, cursor) in &cursors {
            finished.insert(*session, cursor.finish(expected(*session))?);
        }
        if !signed.may_grow(finished.values().any(Finished::awaits_signature), attempt)? {
            break;
        }
    }
    // A listing may pass over a file that is made or sealed while it is taken, so what is missing is
    // looked for again.
    for _ in 0..TRIES {
        let gaps = signed.missing(&cursors);
        if gaps.is_empty() {
            break;
        }
        std::thread::sleep(PATIENCE);
        let listed = directory.sessions().map_err(|why| ReadError::io(path, why))?.into_keys();
        for session in listed.filter(|session| gaps.iter().any(|gap| gap.contains(session))) {
            let gate = signed.gate();
            let gate = gate.as_ref().map(|(name, root)| (name.as_str(), *root));
            let cursor = cursors.entry(session).or_insert_with(|| Cursor::new(directory.sealed(session)));
            finished.insert(session, cursor.finish(Expected { session: Some(session), gate })?);
        }
    }
    if signed.log.is_none() && !cursors.is_empty() {
        signed.damage.get_or_insert_with(|| Damage::new(&directory.log(), 0, 0, "there is no log of checkpoints"));
    }
    Ok(report(&cursors, finished, signed))
}

fn report(cursors: &BTreeMap<u64, Cursor>, finished: BTreeMap<u64, Finished>, signed: Signed) -> DirReport {
    let is_signed = signed.log.is_some();
    let signatures = |session: u64| match cursors.get(&session) {
        Some(cursor) if is_signed => Signatures::UpTo(cursor.signed()),
        _ => Signatures::Unchecked,
    };
    let files = finished.into_iter().map(|(session, finished)| finished.report(signatures(session))).collect();
    let missing = signed.missing(cursors);
    let log = signed.log.as_ref();
    DirReport {
        root: log.map(|log| RootKey(log.header.root)),
        gate: log.map_or_else(String::new, |log| log.header.gate.clone()),
        checkpoints: log.map_or(0, |log| log.number),
        last_checkpoint: signed.last,
        torn: signed.torn,
        missing,
        log: signed.damage,
        files,
    }
}

/// The numbers below `next`, and below the highest, that nothing is there for. `present` ascends.
fn missing(present: impl Iterator<Item = u64>, next: u64) -> Vec<RangeInclusive<u64>> {
    let mut missing = Vec::new();
    let mut expected = 1_u64;
    for number in present {
        if number > expected {
            missing.push(expected..=number.saturating_sub(1));
        }
        expected = number.saturating_add(1);
    }
    if next > expected {
        missing.push(expected..=next.saturating_sub(1));
    }
    missing
}

/// The log of checkpoints, as far as it is good.
struct Signed {
    log: Option<Log<BufReader<File>>>,
    damage: Option<Damage>,
    torn: u64,
    last: Option<u64>,
}

impl Signed {
    fn open(path: &Path, root: Option<&RootKey>) -> Result<Self, ReadError> {
        let mut signed = Self { log: None, damage: None, torn: 0, last: None };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                if root.is_some() {
                    signed.damage =
                        Some(Damage::new(path, 0, 0, "there is no log of checkpoints to verify with the key"));
                }
                return Ok(signed);
            }
            Err(why) => return Err(ReadError::io(path, why)),
        };
        match Log::begin(BufReader::new(file), path.to_owned(), true) {
            Ok(Some(log)) => {
                if root.is_some_and(|root| root.0 != log.header.root) {
                    signed.damage = Some(Damage::new(path, 16, 32, "these are the checkpoints of another gate"));
                }
                signed.log = Some(log);
            }
            Ok(None) => signed.damage = Some(Damage::new(path, 0, 0, "the header is cut short")),
            Err(ReadError::Damaged(damage)) => signed.damage = Some(damage),
            Err(why) => return Err(why),
        }
        Ok(signed)
    }

    /// What is to be said of a recording's signatures.
    fn signatures(self, cursor: &Cursor) -> Signatures {
        match (self.damage, self.log) {
            (Some(damage), _) => Signatures::LogDamaged(damage),
            (None, None) => Signatures::Unchecked,
            (None, Some(_)) => Signatures::UpTo(cursor.signed()),
        }
    }

    /// The gate's name and first key.
    fn gate(&self) -> Option<(String, [u8; 32])> {
        self.log.as_ref().map(|log| (log.header.gate.clone(), log.header.root))
    }

    /// The sessions that should be there and are not.
    fn missing(&self, there: &BTreeMap<u64, Cursor>) -> Vec<RangeInclusive<u64>> {
        missing(there.keys().copied(), self.log.as_ref().map_or(1, |log| log.next_session))
    }

    /// Reads on to the end and shows every entry.
    fn each(&mut self, mut show: impl FnMut(&Entry) -> Result<(), ReadError>) -> Result<(), ReadError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        self.torn = 0;
        while self.damage.is_none() {
            match log.next() {
                Ok(Step::Checkpoint(head, entries)) => {
                    self.last = Some(head.at);
                    entries.iter().try_for_each(&mut show)?;
                }
                Ok(Step::End) => break,
                Ok(Step::Torn(bytes)) => {
                    self.torn = bytes;
                    break;
                }
                Err(ReadError::Damaged(damage)) => self.damage = Some(damage),
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    /// A running gate may be about to sign what is sealed: waits a little, and makes ready to read on.
    fn may_grow(&mut self, awaited: bool, attempt: u32) -> Result<bool, ReadError> {
        let Some(log) = &mut self.log else { return Ok(false) };
        if self.damage.is_some() || attempt == TRIES || !(awaited || self.torn > 0) {
            return Ok(false);
        }
        std::thread::sleep(PATIENCE);
        log.seek()?;
        Ok(true)
    }
}

impl Log<BufReader<File>> {
    /// Goes back to where the next checkpoint begins.
    fn seek(&mut self) -> Result<(), ReadError> {
        let at = self.at;
        self.source(|file| file.seek(SeekFrom::Start(at)).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_told_as_ranges() {
        for (present, next, expected) in [
            (&[][..], 1, vec![]),
            (&[1, 2, 3], 4, vec![]),
            (&[2, 5], 9, vec![1..=1, 3..=4, 6..=8]),
            (&[7], 3, vec![1..=6]),
            (&[], u64::MAX, vec![1..=u64::MAX - 1]),
        ] {
            assert_eq!(missing(present.iter().copied(), next), expected);
        }
    }
}
