//! Verifying one recording step by step, as the checkpoints vouch for it. Between two steps it
//! holds no file and no segment, so that a folder of any size can be verified in one walk over the log.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use portcullis_core::recording::Event;

use super::report::{FileReport, Signatures, State};
use crate::recording::checkpoint::Entry;
use crate::recording::damage::{Damage, ReadError};
use crate::recording::format::{FileHeader, LAST, RECOVERED, SegmentHeader};
use crate::recording::packer::Sealed;
use crate::recording::read::Line;
use crate::recording::tails::Tails;
use crate::recording::walk::{Step, Walk};

/// How often to look again for what a running gate may have moved from a tail to the recording.
const LOOKS: u32 = 8;

/// What a recording's header must say. `None` where nothing else says it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expected<'a> {
    pub(super) session: Option<u64>,
    pub(super) gate: Option<(&'a str, [u8; 32])>,
}

/// One recording that is being verified.
#[derive(Clone)]
pub(super) struct Cursor {
    path: PathBuf,
    /// The header and what is found good behind it.
    good: Option<(FileHeader, Sealed)>,
    segments: u64,
    lost: u64,
    /// What the mark of a recovery says was torn.
    recovered: Option<u64>,
    /// Bytes of a segment that is not whole.
    cut: u64,
    fault: Option<Fault>,
    signed: u64,
    closed: bool,
}

/// A recording that was read to its end.
pub(super) struct Finished {
    session: Option<u64>,
    cursor: Cursor,
    tail_events: u64,
    state: State,
}

#[derive(Clone)]
enum Fault {
    Damage(Damage),
    Missing,
}

impl Cursor {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, good: None, segments: 0, lost: 0, recovered: None, cut: 0, fault: None, signed: 0, closed: false }
    }

    /// Compares the recording with what a checkpoint vouches for.
    pub(super) fn vouch(&mut self, entry: &Entry, expected: Expected<'_>) -> Result<(), ReadError> {
        if self.fault.is_some() {
            return Ok(());
        }
        if self.closed || entry.size < self.signed {
            self.damaged(0, self.signed, "two checkpoints contradict each other about this recording");
            return Ok(());
        }
        self.walk(Some(entry.size), expected)?;
        let Some((_, sealed)) = &self.good else {
            if self.path.exists() {
                self.damaged(0, 0, "the recording is cut off within its header");
            } else {
                self.fault.get_or_insert(Fault::Missing);
            }
            return Ok(());
        };
        let sealed = *sealed;
        if self.fault.is_some() {
            return Ok(());
        }
        if sealed.len < entry.size {
            let what = format!("the recording ends here, and a checkpoint vouches for {} bytes", entry.size);
            self.damaged(sealed.len, self.cut, what);
        } else if sealed.len > entry.size || sealed.chain != entry.chain || sealed.finished != entry.closed {
            self.damaged(
                self.signed,
                sealed.len.saturating_sub(self.signed),
                "this is not what a checkpoint vouches for",
            );
        } else {
            self.signed = entry.size;
            self.closed = entry.closed;
        }
        Ok(())
    }

    /// Reads the rest, which no checkpoint vouches for yet, and the tails. The cursor stays where it
    /// is, for the checkpoints that a running gate may still sign.
    pub(super) fn finish(&self, expected: Expected<'_>) -> Result<Finished, ReadError> {
        let mut cursor = self.clone();
        let (tail_events, state) = cursor.read_rest(expected)?;
        let said = cursor.good.as_ref().map(|(header, _)| header.session);
        Ok(Finished { session: said.or(expected.session), cursor, tail_events, state })
    }

    fn read_rest(&mut self, expected: Expected<'_>) -> Result<(u64, State), ReadError> {
        let mut before = None;
        for _ in 0..LOOKS {
            self.walk(None, expected)?;
            if let Some(state) = self.final_state() {
                return Ok((0, state));
            }
            let sealed = self.sealed();
            let found = self.look_at_tails(sealed)?;
            self.walk(None, expected)?;
            if let Some(state) = self.final_state() {
                return Ok((0, state));
            }
            // A tail is emptied once its events are sealed, and its file is used again. What is found
            // there is true only if nothing was sealed meanwhile, and a finding if it is found twice.
            if self.sealed() == sealed && (found.1 == State::Open { torn: 0 } || before.as_ref() == Some(&found)) {
                return Ok(found);
            }
            before = Some(found);
        }
        // It grows faster than it can be looked at.
        Ok((0, State::Open { torn: 0 }))
    }

    fn look_at_tails(&self, sealed: Option<Sealed>) -> Result<(u64, State), ReadError> {
        let mut tails = Tails::open(&self.path)?;
        if tails.is_empty() && (self.cut > 0 || (sealed.is_none() && !tails.exist)) {
            let at = sealed.map_or(0, |sealed| sealed.len);
            return Ok((0, State::Damaged(Damage::new(&self.path, at, self.cut, "the recording is cut off here"))));
        }
        read_tails(&mut tails, sealed.map_or(1, |sealed| sealed.next))
    }

    fn sealed(&self) -> Option<Sealed> {
        self.good.as_ref().map(|(_, sealed)| *sealed)
    }

    /// The state, if the tails can change nothing about it.
    fn final_state(&self) -> Option<State> {
        match &self.fault {
            Some(Fault::Damage(damage)) => Some(State::Damaged(damage.clone())),
            Some(Fault::Missing) => Some(State::Missing),
            None if self.sealed().is_some_and(|sealed| sealed.finished) => {
                Some(self.recovered.map_or(State::Complete, |torn| State::Recovered { torn }))
            }
            None => None,
        }
    }

    /// How far checkpoints vouch for it.
    pub(super) const fn signed(&self) -> u64 {
        self.signed
    }

    /// Goes on to `until`, or to the end. What is found wrong is kept as the fault.
    fn walk(&mut self, until: Option<u64>, expected: Expected<'_>) -> Result<(), ReadError> {
        if self.fault.is_some() {
            return Ok(());
        }
        match self.walk_on(until, expected) {
            Err(ReadError::Damaged(damage)) => {
                self.fault = Some(Fault::Damage(damage));
                Ok(())
            }
            other => other,
        }
    }

    fn walk_on(&mut self, until: Option<u64>, expected: Expected<'_>) -> Result<(), ReadError> {
        self.cut = 0;
        let Some(mut walk) = self.opened(expected)? else { return Ok(()) };
        let mut raw = Vec::new();
        while until.is_none_or(|until| walk.sealed.len < until) {
            match walk.next(&mut raw)? {
                Step::Segment(segment) => {
                    self.segments = self.segments.saturating_add(1);
                    self.note_recovery(&segment, &raw);
                }
                Step::End => break,
                Step::Cut(bytes) => {
                    self.cut = bytes;
                    break;
                }
            }
            // What follows may be bad; up to here all is good.
            self.good = Some((walk.header.clone(), walk.sealed));
        }
        self.lost = self.lost.saturating_add(walk.lost);
        self.good = Some((walk.header, walk.sealed));
        Ok(())
    }

    fn opened(&mut self, expected: Expected<'_>) -> Result<Option<Walk<BufReader<File>>>, ReadError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(ReadError::io(&self.path, why)),
        };
        if let Some((header, sealed)) = &self.good {
            file.seek(SeekFrom::Start(sealed.len)).map_err(|why| ReadError::io(&self.path, why))?;
            return Ok(Some(Walk::resume(BufReader::new(file), self.path.clone(), header.clone(), *sealed)));
        }
        let Some(walk) = Walk::begin(BufReader::new(file), self.path.clone())? else { return Ok(None) };
        let header = &walk.header;
        let is_own = expected.session.is_none_or(|session| session == header.session)
            && expected.gate.is_none_or(|(gate, root)| gate == header.gate && root == header.root);
        if !is_own {
            let what = "the header is not that of this gate's session with this number";
            return Err(Damage::new(&self.path, 0, walk.sealed.len, what).into());
        }
        Ok(Some(walk))
    }

    fn note_recovery(&mut self, segment: &SegmentHeader, raw: &[u8]) {
        if segment.flags & (LAST | RECOVERED) != LAST | RECOVERED {
            return;
        }
        let last = raw.split_inclusive(|byte| *byte == b'\n').next_back().and_then(Line::parse);
        if let Some(Ok(Event::Recovered { torn })) = last.as_ref().map(Line::event) {
            self.recovered = Some(torn);
        }
    }

    /// Something is wrong. What was found first stays.
    fn damaged(&mut self, offset: u64, length: u64, what: impl Into<String>) {
        self.fault.get_or_insert_with(|| Fault::Damage(Damage::new(&self.path, offset, length, what)));
    }
}

impl Finished {
    /// The session's number, as the recording or else its name says it.
    pub(super) const fn session(&self) -> Option<u64> {
        self.session
    }

    /// Whether it is sealed to its end and not signed to its end.
    pub(super) fn awaits_signature(&self) -> bool {
        let cursor = &self.cursor;
        let sealed = cursor.good.as_ref().map(|(_, sealed)| sealed);
        cursor.fault.is_none() && sealed.is_some_and(|sealed| sealed.finished && sealed.len > cursor.signed)
    }

    pub(super) fn report(self, signatures: Signatures) -> FileReport {
        let Self { session, cursor, tail_events, state } = self;
        let (gate, sealed) = cursor.good.map_or((String::new(), None), |(header, sealed)| (header.gate, Some(sealed)));
        let sealed_events = sealed.map_or(0, |sealed| sealed.next.saturating_sub(1).saturating_sub(cursor.lost));
        FileReport {
            path: cursor.path,
            session: session.unwrap_or(0),
            gate,
            state,
            segments: cursor.segments,
            events: sealed_events.saturating_add(tail_events),
            lost: cursor.lost,
            bytes: sealed.map_or(0, |sealed| sealed.len),
            signatures,
        }
    }
}

/// Counts the events that only the tails have, from number `next`.
fn read_tails(tails: &mut Tails<'_>, mut next: u64) -> Result<(u64, State), ReadError> {
    let mut events = 0_u64;
    let mut line = Vec::new();
    while let Some(seq) = tails.next(&mut line)? {
        if seq >= next {
            next = seq.saturating_add(1);
            events = events.saturating_add(1);
        }
    }
    let state = tails.damage.take().map_or(State::Open { torn: tails.torn }, State::Damaged);
    Ok((events, state))
}
