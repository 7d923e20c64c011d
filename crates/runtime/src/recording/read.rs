//! Reading a recording: its events in order, from the sealed part and from the tails of a session
//! that is not sealed yet. It holds one segment in memory, checks what needs no key, and takes no
//! lock; a recording that is being written reads as it was when it was opened, or a little later.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use portcullis_core::recording::Event;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::damage::Damage;
pub use super::damage::ReadError;
use super::tails::Tails;
use super::walk::{Step, Walk};

/// How often to look again at what a running gate is changing.
const LOOKS: u32 = 8;

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
pub struct Reader<'b> {
    path: PathBuf,
    walk: Option<Walk<Source<'b>>>,
    tails: Tails<'b>,
    raw: Vec<u8>,
    /// Where the next event begins in `raw`.
    at: usize,
    /// The number of the next event that is not known yet.
    next: u64,
    line: Vec<u8>,
    /// The number of the event in `line`, if events are missing before it.
    held: Option<u64>,
    end: End,
    part: Part,
    /// What was found at the end of the tails the last time.
    found: Option<Found>,
    looks: u32,
}

type Source<'b> = Box<dyn Read + Send + 'b>;

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Sealed,
    Tails,
    Nothing,
}

/// What is at the end of the tails that a sound recording does not have there.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    torn: u64,
    damage: Option<Damage>,
    /// Events are missing before the one with this number.
    hole: Option<u64>,
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
pub fn open(path: &Path) -> Result<Reader<'static>, ReadError> {
    // The tails first: what is sealed meanwhile is then in both, and read once.
    let tails = Tails::open(path)?;
    let walk = match File::open(path) {
        Ok(file) => Walk::begin(source(file), path.to_owned())?,
        Err(why) if why.kind() == io::ErrorKind::NotFound && tails.exist => None,
        Err(why) => return Err(ReadError::io(path, why)),
    };
    Ok(Reader::new(path.to_owned(), walk, tails))
}

/// Reads a recording from memory: the sealed part and one tail, as of session 1. Any bytes may be given.
pub fn bytes<'b>(sealed: &'b [u8], tail: &'b [u8]) -> Result<Reader<'b>, ReadError> {
    // There is no such file, so nothing can have been sealed since.
    let path = PathBuf::new();
    let walk = Walk::begin(Box::new(sealed) as Source<'b>, path.clone())?;
    let tails = Tails::of(1, vec![(path.clone(), Box::new(tail))])?;
    Ok(Reader::new(path, walk, tails))
}

fn source(file: File) -> Source<'static> {
    Box::new(BufReader::new(file))
}

impl<'b> Reader<'b> {
    fn new(path: PathBuf, walk: Option<Walk<Source<'b>>>, tails: Tails<'b>) -> Self {
        let end = End { complete: false, torn: 0, lost: 0 };
        let (raw, line) = (Vec::new(), Vec::new());
        Self {
            path,
            walk,
            tails,
            raw,
            at: 0,
            next: 1,
            line,
            held: None,
            end,
            part: Part::Sealed,
            found: None,
            looks: 0,
        }
    }

    /// How the recording ends. It is known when the last event has been read.
    pub const fn end(&self) -> End {
        self.end
    }

    /// Looks again at a recording that had come to an end for now: what has been written since is read
    /// next. After an error there is still nothing more.
    pub fn again(&mut self) -> Result<(), ReadError> {
        if !self.end.complete {
            self.tails = Tails::open(&self.path)?;
            (self.found, self.held, self.looks) = (None, None, 0);
            self.part = Part::Tails;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            let line = match self.part {
                Part::Sealed => self.read_sealed()?,
                Part::Tails => self.read_tails()?,
                Part::Nothing => return Ok(None),
            };
            if line.is_some() {
                return Ok(line);
            }
            self.part = if self.part == Part::Sealed { Part::Tails } else { self.look_again()? };
        }
    }

    /// The next event of the sealed part.
    fn read_sealed(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            while let Some(rest) = self.raw.get(self.at..).filter(|rest| !rest.is_empty()) {
                let length =
                    rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end.saturating_add(1));
                let parsed = Line::parse(rest.get(..length).unwrap_or(rest));
                self.at = self.at.saturating_add(length);
                let line = parsed.ok_or_else(|| self.malformed())?;
                if line.seq >= self.next {
                    self.next = line.seq.saturating_add(1);
                    return Ok(Some(line));
                }
            }
            let Some(walk) = &mut self.walk else { return Ok(None) };
            self.at = 0;
            let step = walk.next(&mut self.raw)?;
            self.end.lost = walk.lost;
            self.end.complete = walk.sealed.finished;
            match step {
                Step::Segment(_) => {}
                Step::End => return Ok(None),
                Step::Cut(bytes) => {
                    self.end.torn = bytes;
                    return Ok(None);
                }
            }
        }
    }

    /// The next event that only the tails have.
    fn read_tails(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            let next = match self.held.take() {
                Some(held) => Some(held),
                None => self.tails.next(&mut self.line)?,
            };
            let Some(seq) = next else { return Ok(None) };
            if seq < self.next {
                continue;
            }
            if seq > self.next && !self.is_hole(seq) {
                self.held = Some(seq);
                return Ok(None);
            }
            // What was being sealed is in a tail as well, so nothing is torn there.
            self.end.torn = 0;
            self.end.lost = self.end.lost.saturating_add(seq.saturating_sub(self.next));
            self.next = seq.saturating_add(1);
            return Line::parse(&self.line).map(Some).ok_or_else(|| self.malformed());
        }
    }

    /// Whether a second look has found events missing before this one as well.
    fn is_hole(&self, seq: u64) -> bool {
        self.found.as_ref().is_some_and(|found| found.hole == Some(seq))
    }

    /// A tail is emptied once its events are sealed, and its file is used again. What is found at its
    /// end is true only if a second look finds it too; what was sealed meanwhile is read.
    fn look_again(&mut self) -> Result<Part, ReadError> {
        let found = Found { torn: self.tails.torn, damage: self.tails.damage.take(), hole: self.held.take() };
        if self.end.complete {
            return Ok(Part::Nothing);
        }
        let grown = self.look_for_more()?;
        if !grown
            && (found == Found::default() || self.found.as_ref() == Some(&found) || self.path.as_os_str().is_empty())
        {
            self.end.torn = self.end.torn.saturating_add(found.torn);
            return found.damage.map_or(Ok(Part::Nothing), |damage| Err(damage.into()));
        }
        self.looks = self.looks.saturating_add(1);
        if self.looks > LOOKS {
            // It grows faster than it can be looked at.
            return Ok(Part::Nothing);
        }
        self.found = Some(found);
        self.tails = Tails::open(&self.path)?;
        Ok(Part::Sealed)
    }

    /// Whether something was sealed since; then it is what is read next.
    fn look_for_more(&mut self) -> Result<bool, ReadError> {
        let Ok(file) = File::open(&self.path) else { return Ok(false) };
        let Some(mut walk) = self.resumed(file)? else { return Ok(false) };
        if !matches!(walk.next(&mut self.raw)?, Step::Segment(_)) {
            return Ok(false);
        }
        self.end.complete = walk.sealed.finished;
        self.end.torn = 0;
        (self.walk, self.at) = (Some(walk), 0);
        Ok(true)
    }

    /// The recording from where this reader has read it to.
    fn resumed(&self, mut file: File) -> Result<Option<Walk<Source<'b>>>, ReadError> {
        let Some(walk) = &self.walk else { return Walk::begin(source(file), self.path.clone()) };
        file.seek(SeekFrom::Start(walk.sealed.len)).map_err(|why| ReadError::io(&self.path, why))?;
        Ok(Some(Walk::resume(source(file), self.path.clone(), walk.header.clone(), walk.sealed)))
    }

    fn malformed(&self) -> ReadError {
        let at = self.walk.as_ref().map_or(0, |walk| walk.sealed.len);
        Damage::new(&self.path, at, 0, "an event that ends before here is not what a gate writes").into()
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read().transpose();
        if !matches!(read, Some(Ok(_))) {
            self.part = Part::Nothing;
        }
        read
    }
}
