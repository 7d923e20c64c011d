//! Both tails of a session as one row of events, in their order. While one tail is sealed the other
//! is written, and after a crash events may be in a tail and in the recording; whoever reads knows
//! by their numbers which ones are new.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::damage::{Damage, ReadError};
use super::directory::{Slot, number_at, tail_of};
use super::tail::{Found, Records, seq_of};

/// A session's tails.
pub(super) struct Tails<'b> {
    sources: VecDeque<Source<'b>>,
    /// Whether there is any tail at all; one that was just made is empty.
    pub(super) exist: bool,
    /// Bytes that are not whole events.
    pub(super) torn: u64,
    /// What does not look like a write that was cut off.
    pub(super) damage: Option<Damage>,
}

struct Source<'b> {
    path: PathBuf,
    records: Records<Box<dyn Read + Send + 'b>>,
    /// The event that was read ahead, with its number.
    ahead: Option<(u64, Vec<u8>)>,
}

impl<'b> Tails<'b> {
    /// Opens the tails beside a recording; there may be none.
    pub(super) fn open(sealed: &Path) -> Result<Self, ReadError> {
        let mut sources: Vec<(PathBuf, Box<dyn Read + Send>)> = Vec::new();
        // Only a file with a session's name has tails.
        let session = number_at(sealed);
        for path in session.iter().flat_map(|_| Slot::BOTH).map(|slot| tail_of(sealed, slot)) {
            match File::open(&path) {
                Ok(file) => sources.push((path, Box::new(BufReader::new(file)))),
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                Err(why) => return Err(ReadError::io(&path, why)),
            }
        }
        Self::of(session.unwrap_or(0), sources)
    }

    /// The tails that these readers give.
    pub(super) fn of(session: u64, readers: Vec<(PathBuf, Box<dyn Read + Send + 'b>)>) -> Result<Self, ReadError> {
        let mut tails = Self { sources: VecDeque::new(), exist: !readers.is_empty(), torn: 0, damage: None };
        for (path, reader) in readers {
            let mut source = Source { path, records: Records::new(session, reader), ahead: None };
            tails.read_ahead(&mut source, Vec::new())?;
            tails.sources.push_back(source);
        }
        // An empty tail has nothing to be put in order.
        tails.sources.retain(|source| source.ahead.is_some());
        tails.sources.make_contiguous().sort_by_key(|source| source.ahead.as_ref().map(|(seq, _)| *seq));
        Ok(tails)
    }

    /// Whether there is nothing in them, not even torn bytes.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.torn == 0 && self.damage.is_none()
    }

    /// Puts the next event into `line` and yields its number.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>, ReadError> {
        while let Some(mut source) = self.sources.pop_front() {
            let Some((seq, mut ahead)) = source.ahead.take() else { continue };
            std::mem::swap(line, &mut ahead);
            self.read_ahead(&mut source, ahead)?;
            self.sources.push_front(source);
            return Ok(Some(seq));
        }
        Ok(None)
    }

    fn read_ahead(&mut self, source: &mut Source<'b>, mut line: Vec<u8>) -> Result<(), ReadError> {
        let at = source.records.at;
        let found = source.records.next(&mut line).map_err(|why| ReadError::io(&source.path, why))?;
        match (found, seq_of(&line)) {
            (Found::Line, Some(seq)) => source.ahead = Some((seq, line)),
            (Found::Line, None) => self.damaged(&source.path, at, line.len() as u64, "an event has no number"),
            (Found::End, _) => {}
            (Found::Torn { bytes, at_end }, _) => {
                self.torn = self.torn.saturating_add(bytes);
                if !at_end {
                    self.damaged(&source.path, at, bytes, "an event of the tail is damaged");
                }
            }
        }
        Ok(())
    }

    fn damaged(&mut self, path: &Path, at: u64, length: u64, what: &str) {
        self.damage.get_or_insert_with(|| Damage::new(path, at, length, what));
    }
}
