//! What verification found, in values. How it is shown is the caller's business.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::recording::{Damage, RootKey};

/// What is to be said about one recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// The recording.
    pub path: PathBuf,
    /// The session's number; 0 if the recording does not say it.
    pub session: u64,
    /// The gate's name; empty if the recording does not say it.
    pub gate: String,
    /// Its state.
    pub state: State,
    /// Segments that were read and found good.
    pub segments: u64,
    /// Events that were read and found good, those of the tail included.
    pub events: u64,
    /// Events that a crash of the machine took, by their missing numbers.
    pub lost: u64,
    /// The bytes that were found good, without the tail.
    pub bytes: u64,
    /// How far signatures vouch for it.
    pub signatures: Signatures,
}

/// The state of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The session is over, and nothing is missing.
    Complete,
    /// The gate died during the session; what it had written down was recovered.
    Recovered {
        /// Bytes that were not a whole event.
        torn: u64,
    },
    /// There is no mark of the end: the session is open, or the gate died and has not been started
    /// since, or this is a copy that was cut off between two segments and has no checkpoints beside it.
    Open {
        /// Bytes at the end that are not a whole event: being written, or torn by a crash.
        torn: u64,
    },
    /// Something was changed, removed or put in.
    Damaged(Damage),
    /// A checkpoint vouches for it, and it is not there.
    Missing,
}

/// How far signatures vouch for a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signatures {
    /// There is no log of checkpoints beside it: only the chain was verified. It finds accidents;
    /// whoever can write the whole file can make a new chain.
    Unchecked,
    /// Checkpoints vouch for so many bytes from its beginning.
    UpTo(u64),
    /// The log of checkpoints itself is damaged; this is what is wrong with it.
    LogDamaged(Damage),
}

impl FileReport {
    /// Whether nothing is wrong with what is there. A recording that is open is intact.
    pub const fn is_intact(&self) -> bool {
        !matches!(self.state, State::Damaged(_) | State::Missing)
            && !matches!(self.signatures, Signatures::LogDamaged(_))
    }

    /// Whether the recording is at its end and signed to its end.
    pub fn is_proven(&self) -> bool {
        matches!(self.state, State::Complete | State::Recovered { .. })
            && self.signatures == Signatures::UpTo(self.bytes)
    }

    /// Bytes at the end that no checkpoint vouches for. Next to a running gate these are signed
    /// within seconds; in a folder without one, they are only as good as the folder's protection.
    pub const fn unsigned(&self) -> u64 {
        match self.signatures {
            Signatures::UpTo(signed) => self.bytes.saturating_sub(signed),
            Signatures::Unchecked | Signatures::LogDamaged(_) => self.bytes,
        }
    }
}

/// What is to be said about a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirReport {
    /// The gate's first public key, as the log of checkpoints names it.
    pub root: Option<RootKey>,
    /// The gate's name, as the log names it.
    pub gate: String,
    /// Checkpoints that were read and found good.
    pub checkpoints: u64,
    /// When the last of them was signed, in microseconds since 1970-01-01 UTC.
    pub last_checkpoint: Option<u64>,
    /// Bytes at the end of the log that are no whole checkpoint: a crash leaves them, and the gate's
    /// next start removes them.
    pub torn: u64,
    /// What is wrong with the log.
    pub log: Option<Damage>,
    /// Sessions whose numbers were given out and that have no file.
    pub missing: Vec<RangeInclusive<u64>>,
    /// Every recording.
    pub files: Vec<FileReport>,
}

impl DirReport {
    /// Whether nothing is wrong, nothing is missing and the log is good. Open recordings are no fault.
    pub fn is_intact(&self) -> bool {
        self.log.is_none() && self.missing.is_empty() && self.files.iter().all(FileReport::is_intact)
    }
}
