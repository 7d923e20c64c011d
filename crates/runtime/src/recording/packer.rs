//! From events to segments: it compresses them, links them to the chain, and writes them at the end
//! of a recording. It does not know where the events come from, nor who signs.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use zstd::bulk::Compressor;

use super::disk::Disk;
use super::format::{Digest, FileHeader, SegmentHeader};

/// Compression is to keep up with the busiest gate on a part of one core.
const LEVEL: i32 = 1;
/// What is kept for the next segment, in bytes.
const KEEP: usize = 4 << 20;

/// How far a recording is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sealed {
    /// The file's length.
    pub(super) len: u64,
    /// The chain over those bytes.
    pub(super) chain: Digest,
    /// The number of the next event.
    pub(super) next: u64,
    /// Whether the last segment is written.
    pub(super) finished: bool,
}

impl Sealed {
    /// A recording that has no file yet.
    pub(super) fn nothing(header: &FileHeader) -> Self {
        Self { len: 0, chain: header.chain(), next: 1, finished: false }
    }
}

/// A recording that is written to.
pub(super) struct Output<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) file: File,
    pub(super) header: FileHeader,
    /// Flags of every segment.
    pub(super) flags: u32,
    pub(super) sealed: Sealed,
}

/// Opens a recording to go on where it is sealed; what an attempt before this left is cut off.
pub(super) fn open(path: &Path, sealed: &Sealed, disk: &dyn Disk) -> io::Result<File> {
    if sealed.len == 0 {
        return disk.create(path);
    }
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.len() > sealed.len {
        file.set_len(sealed.len)?;
    }
    Ok(file)
}

/// Packs events. One packer serves all recordings, one after another.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    raw: Vec<u8>,
    count: u32,
    limit: usize,
}

impl Packer {
    /// A packer whose segments hold at most `limit` bytes of events, or one event.
    pub(super) fn new(limit: usize) -> io::Result<Self> {
        Ok(Self { compressor: Compressor::new(LEVEL)?, raw: Vec::new(), count: 0, limit })
    }

    /// Forgets what an attempt before this left.
    pub(super) fn reset(&mut self) {
        self.count = 0;
        if self.raw.capacity() > KEEP {
            self.raw = Vec::new();
        }
        self.raw.clear();
    }

    /// The number of the event that is expected next.
    pub(super) const fn next(&self, to: &Output<'_>) -> u64 {
        to.sealed.next.saturating_add(self.count as u64)
    }

    /// Whether events wait to be cut into a segment.
    pub(super) const fn has_lines(&self) -> bool {
        self.count > 0
    }

    /// Adds an event, which has the number [`next`](Self::next).
    pub(super) fn line(&mut self, to: &mut Output<'_>, line: &[u8]) -> io::Result<()> {
        if self.count > 0 && self.raw.len().saturating_add(line.len()) >= self.limit {
            self.cut(to, 0)?;
        }
        self.raw.extend_from_slice(line);
        self.raw.push(b'\n');
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Writes what was added as one segment; with [`LAST`](super::format::LAST) even if that is nothing.
    pub(super) fn cut(&mut self, to: &mut Output<'_>, flags: u32) -> io::Result<()> {
        let stored = self.compressor.compress(&self.raw)?;
        let too_long = |_| io::Error::other("a segment is longer than any can be");
        let mut segment = SegmentHeader {
            flags: flags | to.flags,
            first: to.sealed.next,
            count: self.count,
            raw: u32::try_from(self.raw.len()).map_err(too_long)?,
            stored: u32::try_from(stored.len()).map_err(too_long)?,
            chain: [0; 32],
        };
        segment.chain = segment.link(&to.sealed.chain, &stored);
        let mut bytes = if to.sealed.len == 0 { to.header.encode() } else { Vec::new() };
        bytes.extend_from_slice(&segment.encode());
        bytes.extend_from_slice(&stored);
        to.disk.write(&to.file, &bytes, to.sealed.len)?;
        to.sealed = Sealed {
            len: to.sealed.len.saturating_add(bytes.len() as u64),
            chain: segment.chain,
            next: segment.next(),
            finished: flags & super::format::LAST != 0,
        };
        self.reset();
        Ok(())
    }
}
