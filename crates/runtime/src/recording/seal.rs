//! Sealing one session: its tail becomes segments at the end of its recording. What a crash leaves
//! at any point is completed by recovery; what an error leaves is written over by the next attempt.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::format::LAST;
use super::live::Live;
use super::packer::{self, Output, Packer, Sealed};
use super::tail::{Found, Records, seq_of};
use super::writer::Tail;

/// A session whose segments are written and may not be on disk yet.
pub(super) struct Unsynced {
    pub(super) live: Arc<Live>,
    pub(super) file: File,
    sealed: Sealed,
}

/// Seals what is new of a session. `None` if nothing is.
pub(super) fn seal(live: &Arc<Live>, packer: &mut Packer) -> io::Result<Option<Unsynced>> {
    let shared = &live.shared;
    let mut sealing = live.sealing();
    if sealing.sealed.finished {
        return Ok(None);
    }
    let last = {
        let closing = live.is_closing();
        let mut writer = live.writer();
        if sealing.tail.is_none() {
            sealing.tail = writer.rotate(shared).map_err(io::Error::other)?;
        }
        closing && !writer.has_more()
    };
    if sealing.tail.is_none() && !last {
        return Ok(None);
    }
    let path = shared.directory.sealed(live.number);
    let before = sealing.sealed;
    let mut to = Output {
        disk: &*shared.disk,
        file: packer::open(&path, &before, &*shared.disk)?,
        header: shared.header(live.number),
        flags: 0,
        sealed: before,
    };
    packer.reset();
    if let Some(tail) = &sealing.tail {
        pack(live.number, tail, packer, &mut to).inspect_err(|why| {
            if why.kind() == io::ErrorKind::InvalidData {
                // Somebody else wrote to it: what follows could not be joined to what is sealed.
                live.writer().end("the recording's tail was damaged");
            }
        })?;
    }
    if last || packer.has_lines() {
        packer.cut(&mut to, if last { LAST } else { 0 })?;
    }
    Ok(Some(Unsynced { live: Arc::clone(live), sealed: to.sealed, file: to.file }))
}

impl Unsynced {
    /// It is on disk: the tail has done its duty. Yields the recording's new state.
    pub(super) fn settle(self) -> (Arc<Live>, Sealed) {
        let shared = &self.live.shared;
        let mut sealing = self.live.sealing();
        shared.space.add(self.sealed.len.saturating_sub(sealing.sealed.len));
        sealing.sealed = self.sealed;
        if let Some(tail) = sealing.tail.take() {
            shared.pool.give(&shared.directory, &shared.directory.tail(self.live.number, tail.slot), tail.file);
            shared.space.remove(tail.len);
        }
        drop(sealing);
        if self.sealed.finished {
            self.live.writer().end("the recording is closed");
        }
        (self.live, self.sealed)
    }
}

fn pack(session: u64, tail: &Tail, packer: &mut Packer, to: &mut Output<'_>) -> io::Result<()> {
    let reader = At { file: &tail.file, at: 0 }.take(tail.len);
    let mut records = Records::new(session, BufReader::with_capacity(256 << 10, reader));
    let mut line = Vec::new();
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a tail does not hold what was written to it");
    loop {
        match records.next(&mut line)? {
            Found::Line if seq_of(&line) == Some(packer.next(to)) => packer.line(to, &line)?,
            Found::End if records.at == tail.len => return Ok(()),
            Found::Line | Found::End | Found::Torn { .. } => return Err(damaged()),
        }
    }
}

/// Reads a file from a place of its own, since its cursor is shared.
struct At<'f> {
    file: &'f File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}
