//! Reading a checkpoint log, one checkpoint after another. Each must be the one that the checkpoint
//! before announced. Whether signatures are verified is the caller's choice; what the checkpoints
//! say about recordings is the caller's business.

use std::io::{self, Read};
use std::path::PathBuf;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::checkpoint::{Entry, HEAD, Head, LOG_HEADER, LogHeader, SIGNATURE, signed};
use super::damage::{Damage, ReadError};
use super::format::{Digest, sum};

/// A log that is being read.
pub(super) struct Log<R> {
    from: R,
    path: PathBuf,
    verify: bool,
    /// Where the next checkpoint begins.
    pub(super) at: u64,
    pub(super) header: LogHeader,
    /// The digest of the last checkpoint.
    pub(super) before: Digest,
    /// The number of the next checkpoint.
    pub(super) number: u64,
    /// The key of the next checkpoint.
    pub(super) key: [u8; 32],
    /// Every session below it was opened.
    pub(super) next_session: u64,
}

/// What comes next in a log.
pub(super) enum Step {
    Checkpoint(Head, Vec<Entry>),
    /// Nothing more.
    End,
    /// Bytes that are no whole checkpoint, as a crash leaves them.
    Torn(u64),
}

impl<R: Read> Log<R> {
    /// Reads the header. A log whose header is not whole yields nothing.
    pub(super) fn begin(mut from: R, path: PathBuf, verify: bool) -> Result<Option<Self>, ReadError> {
        let io = |path: &PathBuf, why| ReadError::io(path, why);
        let head = read(&mut from, LOG_HEADER).map_err(|why| io(&path, why))?;
        if head.len() < LOG_HEADER {
            return Ok(None);
        }
        let wrong = |what: &str, path: &PathBuf| Damage::new(path, 0, LOG_HEADER as u64, what);
        let (mut header, gate) = LogHeader::decode(&head).map_err(|what| wrong(what, &path))?;
        let name = read(&mut from, gate).map_err(|why| io(&path, why))?;
        if name.len() < gate {
            return Ok(None);
        }
        header.gate = String::from_utf8(name).map_err(|_| wrong("the gate's name is not text", &path))?;
        Ok(Some(Self {
            from,
            verify,
            at: (LOG_HEADER as u64).saturating_add(gate as u64),
            before: header.digest(),
            number: 0,
            key: header.root,
            next_session: 1,
            header,
            path,
        }))
    }

    /// Reads the next checkpoint.
    pub(super) fn next(&mut self) -> Result<Step, ReadError> {
        let mut bytes = self.read(HEAD)?;
        if bytes.is_empty() {
            return Ok(Step::End);
        }
        if bytes.len() < HEAD {
            return Ok(Step::Torn(bytes.len() as u64));
        }
        let head = Head::decode(&bytes).map_err(|what| self.wrong(HEAD, what))?;
        let rest = self.read(head.rest())?;
        bytes.extend_from_slice(&rest);
        if rest.len() < head.rest() {
            return Ok(Step::Torn(bytes.len() as u64));
        }
        let entries = self.check(&head, &bytes)?;
        self.at = self.at.saturating_add(bytes.len() as u64);
        self.before = sum(&[&bytes]);
        self.number = self.number.saturating_add(1);
        self.key = head.next_key;
        self.next_session = head.next_session;
        Ok(Step::Checkpoint(head, entries))
    }

    /// Does something with what is read from.
    pub(super) fn source(&mut self, what: impl FnOnce(&mut R) -> io::Result<()>) -> Result<(), ReadError> {
        what(&mut self.from).map_err(|why| ReadError::io(&self.path, why))
    }

    fn check(&self, head: &Head, bytes: &[u8]) -> Result<Vec<Entry>, ReadError> {
        let wrong = |what| self.wrong(bytes.len(), what);
        let Some((content, signature)) = bytes.split_last_chunk::<SIGNATURE>() else {
            return Err(wrong("a checkpoint is cut short"));
        };
        let good =
            !self.verify || UnparsedPublicKey::new(&ED25519, self.key).verify(&signed(content), signature).is_ok();
        if !good {
            return Err(wrong("the signature of this checkpoint is not good"));
        }
        if head.before != self.before {
            return Err(wrong("this checkpoint does not follow the one before it"));
        }
        if head.number != self.number || head.next_session < self.next_session {
            return Err(wrong("this checkpoint contradicts the one before it"));
        }
        let mut list = content.get(HEAD..).unwrap_or_default();
        let entries: Option<Vec<Entry>> = (0..head.entries).map(|_| Entry::take(&mut list)).collect();
        entries.ok_or_else(|| wrong("this checkpoint is malformed"))
    }

    fn wrong(&self, length: usize, what: &str) -> ReadError {
        Damage::new(&self.path, self.at, length as u64, what).into()
    }

    fn read(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        read(&mut self.from, length).map_err(|why| ReadError::io(&self.path, why))
    }
}

/// Reads `length` bytes, or what there is.
pub(super) fn read(from: impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
