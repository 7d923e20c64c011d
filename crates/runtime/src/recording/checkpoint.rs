//! Checkpoints in their stored form: which bytes of which recordings a gate vouches for, under
//! which key, and which key comes next. See docs/recording.md. No file is touched here.

use super::format::{Digest, preamble, sum, take};

/// How every checkpoint log begins.
pub(super) const MAGIC: [u8; 8] = *b"PCLOG\r\n\x1a";
/// The fixed part of the log's header; the gate's name follows.
pub(super) const LOG_HEADER: usize = 48;
/// The fixed part of a checkpoint.
pub(super) const HEAD: usize = 96;
/// One recording within a checkpoint.
pub(super) const ENTRY: usize = 56;
/// A signature.
pub(super) const SIGNATURE: usize = 64;
/// The most recordings that one checkpoint covers; more take several checkpoints.
pub(super) const MAX_ENTRIES: usize = 4096;
const MARK: [u8; 4] = *b"CHKP";
/// The recording is complete: its last segment says so.
const CLOSED: u64 = 1;

/// What the log says of itself before its first checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogHeader {
    /// The key of the first checkpoint, by which the gate is known.
    pub(super) root: [u8; 32],
    pub(super) gate: String,
}

impl LogHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LOG_HEADER + self.gate.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&super::format::VERSION.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.gate.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(self.gate.as_bytes());
        out
    }

    /// Reads the fixed part, and says how long the name behind it is.
    pub(super) fn decode(mut bytes: &[u8]) -> Result<(Self, usize), &'static str> {
        let from = &mut bytes;
        let gate = preamble(from, MAGIC, "this is not a checkpoint log")?;
        let root = take(from).ok_or("the header is cut short")?;
        Ok((Self { root, gate: String::new() }, gate))
    }

    /// What the first checkpoint has for the one before it.
    pub(super) fn digest(&self) -> Digest {
        sum(&[b"portcullis checkpoints\0", &self.encode()])
    }
}

/// The fixed part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) entries: u32,
    /// Its number, from 0 and without gaps.
    pub(super) number: u64,
    /// Microseconds since 1970-01-01 UTC.
    pub(super) at: u64,
    /// Every session with a lower number has been opened.
    pub(super) next_session: u64,
    /// The digest of the checkpoint before.
    pub(super) before: Digest,
    /// The key that signs the next checkpoint.
    pub(super) next_key: [u8; 32],
}

impl Head {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.at.to_le_bytes());
        out.extend_from_slice(&self.next_session.to_le_bytes());
        out.extend_from_slice(&self.before);
        out.extend_from_slice(&self.next_key);
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self, &'static str> {
        let from = &mut bytes;
        let short = "a checkpoint is cut short";
        if take(from).ok_or(short)? != MARK {
            return Err("no checkpoint begins here");
        }
        let entries = take(from).map(u32::from_le_bytes).ok_or(short)?;
        if entries as usize > MAX_ENTRIES {
            return Err("a checkpoint covers more recordings than any can");
        }
        let mut number = || take(from).map(u64::from_le_bytes).ok_or(short);
        let (own, at, next_session) = (number()?, number()?, number()?);
        let before = take(from).ok_or(short)?;
        let next_key = take(from).ok_or(short)?;
        Ok(Self { entries, number: own, at, next_session, before, next_key })
    }

    /// The length of what follows the fixed part.
    pub(super) const fn rest(&self) -> usize {
        self.entries as usize * ENTRY + SIGNATURE
    }
}

/// How far a checkpoint vouches for one recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) session: u64,
    /// The length of the recording in bytes.
    pub(super) size: u64,
    /// Whether it is complete.
    pub(super) closed: bool,
    /// The chain over those bytes.
    pub(super) chain: Digest,
}

impl Entry {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.session.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&if self.closed { CLOSED } else { 0 }.to_le_bytes());
        out.extend_from_slice(&self.chain);
    }

    /// Takes the next entry off.
    pub(super) fn take(from: &mut &[u8]) -> Option<Self> {
        let session = take(from).map(u64::from_le_bytes)?;
        let size = take(from).map(u64::from_le_bytes)?;
        let closed = match take(from).map(u64::from_le_bytes)? {
            0 => false,
            CLOSED => true,
            _ => return None,
        };
        Some(Self { session, size, closed, chain: take(from)? })
    }
}

/// What is signed: a checkpoint's bytes up to its signature, under a name of their own.
pub(super) fn signed(content: &[u8]) -> Vec<u8> {
    [b"portcullis checkpoint\0", content].concat()
}
