//! Reading a recording's segments in order, with everything checked that needs no key: bounds, the
//! chain, the compression, and the numbers of the events. It holds one segment at a time.

use std::io::{self, Read};
use std::path::PathBuf;

use super::damage::{Damage, ReadError};
use super::format::{FILE_HEADER, FileHeader, LAST, MAX_RAW, RECOVERED, SEGMENT_HEADER, SegmentHeader};
use super::log::read;
use super::packer::Sealed;
use super::tail::seq_of;

/// The most memory that a segment may ask of its reader for its window, as a power of two.
const WINDOW_LOG: u32 = 23;

/// A recording that is being read.
pub(super) struct Walk<R> {
    from: R,
    path: PathBuf,
    pub(super) header: FileHeader,
    /// What has been read and found good.
    pub(super) sealed: Sealed,
    /// Events that the recovery after a crash found to be lost.
    pub(super) lost: u64,
}

/// What comes next in a recording.
#[derive(Debug)]
pub(super) enum Step {
    /// A segment; its events are in the caller's buffer.
    Segment(SegmentHeader),
    /// Nothing more.
    End,
    /// A segment that is not whole: the file was cut, or is just being written.
    Cut(u64),
}

impl<R: Read> Walk<R> {
    /// Reads the header. `None` if it is not whole.
    pub(super) fn begin(mut from: R, path: PathBuf) -> Result<Option<Self>, ReadError> {
        let head = read(&mut from, FILE_HEADER).map_err(|why| ReadError::io(&path, why))?;
        if head.len() < FILE_HEADER {
            return Ok(None);
        }
        let wrong = |path: &PathBuf, what: &str| Damage::new(path, 0, FILE_HEADER as u64, what);
        let (mut header, gate) = FileHeader::decode(&head).map_err(|what| wrong(&path, what))?;
        let name = read(&mut from, gate).map_err(|why| ReadError::io(&path, why))?;
        if name.len() < gate {
            return Ok(None);
        }
        header.gate = String::from_utf8(name).map_err(|_| wrong(&path, "the gate's name is not text"))?;
        let len = (FILE_HEADER as u64).saturating_add(gate as u64);
        let sealed = Sealed { len, ..Sealed::nothing(&header) };
        Ok(Some(Self { from, path, header, sealed, lost: 0 }))
    }

    /// Goes on where another reader stopped; `from` begins there.
    pub(super) const fn resume(from: R, path: PathBuf, header: FileHeader, sealed: Sealed) -> Self {
        Self { from, path, header, sealed, lost: 0 }
    }

    /// Reads the next segment, and its events into `raw`.
    pub(super) fn next(&mut self, raw: &mut Vec<u8>) -> Result<Step, ReadError> {
        raw.clear();
        let head = self.read(SEGMENT_HEADER)?;
        let Some(head) = head.first_chunk::<SEGMENT_HEADER>() else {
            return match head.len() as u64 {
                0 => Ok(Step::End),
                some if self.sealed.finished => Err(self.wrong(some, "bytes follow the last segment")),
                some => Ok(Step::Cut(some)),
            };
        };
        if self.sealed.finished {
            return Err(self.wrong(SEGMENT_HEADER as u64, "bytes follow the last segment"));
        }
        let segment = SegmentHeader::decode(head).map_err(|what| self.wrong(SEGMENT_HEADER as u64, what))?;
        let stored = self.read(segment.stored as usize)?;
        let length = (SEGMENT_HEADER as u64).saturating_add(stored.len() as u64);
        if stored.len() < segment.stored as usize {
            return Ok(Step::Cut(length));
        }
        if segment.link(&self.sealed.chain, &stored) != segment.chain {
            return Err(self.wrong(length, "this segment does not continue the chain"));
        }
        unpack(&stored, segment.raw, raw).map_err(|what| self.wrong(length, what))?;
        self.check_numbers(&segment, raw).map_err(|what| self.wrong(length, what))?;
        self.lost = self.lost.saturating_add(segment.first.saturating_sub(self.sealed.next));
        self.sealed = Sealed {
            len: self.sealed.len.saturating_add(length),
            chain: segment.chain,
            next: segment.next(),
            finished: segment.flags & LAST != 0,
        };
        Ok(Step::Segment(segment))
    }

    /// Events are numbered without gaps. Only a recovery may leave numbers out, and thereby says so.
    fn check_numbers(&self, segment: &SegmentHeader, raw: &[u8]) -> Result<(), &'static str> {
        let after_gap = segment.flags & RECOVERED != 0 && segment.first > self.sealed.next;
        if segment.first != self.sealed.next && !after_gap {
            return Err("events are missing before this segment");
        }
        let mut expected = segment.first;
        for line in raw.split_inclusive(|byte| *byte == b'\n') {
            if seq_of(line) != Some(expected) || line.last() != Some(&b'\n') {
                return Err("the events of this segment are not numbered as they should be");
            }
            expected = expected.saturating_add(1);
        }
        if expected != segment.next() {
            return Err("this segment does not hold as many events as it says");
        }
        Ok(())
    }

    fn wrong(&self, length: u64, what: &str) -> ReadError {
        Damage::new(&self.path, self.sealed.len, length, what).into()
    }

    fn read(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        read(&mut self.from, length).map_err(|why| ReadError::io(&self.path, why))
    }
}

/// Decompresses one frame that must hold exactly `length` bytes. Memory grows with what is really
/// there, never with what a header promises.
fn unpack(mut stored: &[u8], length: u32, raw: &mut Vec<u8>) -> Result<(), &'static str> {
    let limit = (length as usize).min(MAX_RAW);
    let mut decode = || -> io::Result<()> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(&mut stored)?.single_frame();
        decoder.window_log_max(WINDOW_LOG)?;
        decoder.take(limit as u64 + 1).read_to_end(raw)?;
        Ok(())
    };
    decode().map_err(|_| "this segment cannot be decompressed")?;
    if raw.len() != limit || !stored.is_empty() {
        return Err("this segment does not hold as many bytes as it says");
    }
    Ok(())
}
