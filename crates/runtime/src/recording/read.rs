//! Reading a recording: its events in order, from the sealed part and from the tails of a session
//! that is not sealed yet. It holds one segment in memory, checks what needs no key, and takes no
//! lock; a recording that is being written reads as it was when it was opened, or a little later.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use portcullis_core::recording::Event;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::damage::Damage;
pub use super::damage::ReadError;
use super::tails::Tails;
use super::walk::{Step, Walk};

/// One event of a recording.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number within the recording, from 1 and without gaps.
    pub seq: u64,
    /// When it happened, in microseconds since 1970-01-01 UTC.
    pub at: u64,
    event: Box<RawValue>,
}

#[derive(Deserialize)]
struct Stored<'a> {
    seq: u64,
    at: u64,
    #[serde(borrow)]
    event: &'a RawValue,
}

impl Line {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_slice(line).ok()?;
        Some(Self { seq: stored.seq, at: stored.at, event: stored.event.to_owned() })
    }

    /// The event. A recording of a later version may hold events that this program does not know.
    pub fn event(&self) -> Result<Event<'_>, serde_json::Error> {
        serde_json::from_str(self.event.get())
    }

    /// The event as it is stored: one JSON object.
    pub fn json(&self) -> &str {
        self.event.get()
    }
}

/// The events of one recording. After an error there are no more.
pub struct Reader<R = BufReader<File>> {
    path: PathBuf,
    walk: Option<Walk<R>>,
    tails: Tails<R>,
    raw: Vec<u8>,
    /// Where the next event begins in `raw`.
    at: usize,
    /// The number of the next event that is not known yet.
    next: u64,
    line: Vec<u8>,
    end: End,
    over: bool,
}

/// How a recording ends, as far as it has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    /// The session is over and the recording is complete.
    pub complete: bool,
    /// Bytes at the end that are not whole events: a crash left them, or they are being written.
    pub torn: u64,
    /// Events that a crash of the machine took.
    pub lost: u64,
}

/// Opens a session's recording by the path of its sealed file, `NUMBER.rec`. A session that has only
/// just begun may have no such file yet; its tail beside that path is read.
pub fn open(path: &Path) -> Result<Reader, ReadError> {
    // The tails first: what is sealed meanwhile is then in both, and read once.
    let tails = Tails::open(path)?;
    let walk = match File::open(path) {
        Ok(file) => Walk::begin(BufReader::new(file), path.to_owned())?,
        Err(why) if why.kind() == io::ErrorKind::NotFound && !tails.is_empty() => None,
        Err(why) => return Err(ReadError::io(path, why)),
    };
    Ok(Reader::new(path.to_owned(), walk, tails))
}

/// Reads a recording from memory: the sealed part and one tail. Any bytes may be given.
pub fn bytes<'b>(sealed: &'b [u8], tail: &'b [u8]) -> Result<Reader<&'b [u8]>, ReadError> {
    let path = PathBuf::from("bytes");
    let walk = Walk::begin(sealed, path.clone())?;
    let tails = Tails::of(vec![(path.clone(), tail)])?;
    Ok(Reader::new(path, walk, tails))
}

impl<R: Read> Reader<R> {
    const fn new(path: PathBuf, walk: Option<Walk<R>>, tails: Tails<R>) -> Self {
        let end = End { complete: false, torn: 0, lost: 0 };
        Self { path, walk, tails, raw: Vec::new(), at: 0, next: 1, line: Vec::new(), end, over: false }
    }

    /// How the recording ends. It is known when the last event has been read.
    pub const fn end(&self) -> End {
        self.end
    }

    fn read(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            if let Some(line) = self.raw.get(self.at..).filter(|rest| !rest.is_empty()) {
                let length =
                    line.iter().position(|byte| *byte == b'\n').map_or(line.len(), |end| end.saturating_add(1));
                let parsed = Line::parse(line.get(..length).unwrap_or(line));
                self.at = self.at.saturating_add(length);
                return parsed.map(Some).ok_or_else(|| self.malformed());
            }
            let Some(walk) = &mut self.walk else { return self.read_tails() };
            self.at = 0;
            let step = walk.next(&mut self.raw)?;
            self.next = walk.sealed.next;
            self.end.lost = walk.lost;
            match step {
                Step::Segment(_) => {}
                Step::End => {
                    self.end.complete = walk.sealed.finished;
                    self.walk = None;
                }
                Step::Cut(bytes) => {
                    // What is being sealed is still in a tail.
                    self.end.torn = if self.tails.has(self.next) { 0 } else { bytes };
                    self.walk = None;
                }
            }
        }
    }

    fn read_tails(&mut self) -> Result<Option<Line>, ReadError> {
        while let Some(seq) = self.tails.next(&mut self.line)? {
            if seq < self.next {
                continue;
            }
            self.end.lost = self.end.lost.saturating_add(seq.saturating_sub(self.next));
            self.next = seq.saturating_add(1);
            return Line::parse(&self.line).map(Some).ok_or_else(|| self.malformed());
        }
        if let Some(damage) = self.tails.damage.take() {
            return Err(damage.into());
        }
        if !self.end.complete {
            self.end.torn = self.end.torn.saturating_add(self.tails.torn);
        }
        Ok(None)
    }

    fn malformed(&self) -> ReadError {
        let at = self.walk.as_ref().map_or(0, |walk| walk.sealed.len);
        Damage::new(&self.path, at, 0, "an event that ends before here is not what a gate writes").into()
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let read = self.read().transpose();
        self.over = !matches!(read, Some(Ok(_)));
        read
    }
}
