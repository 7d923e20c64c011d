//! The port through which the control plane reads recordings. Where they are, and in which form, is
//! the adapter's business. Everything here may block: callers are on threads for that.

use serde::{Deserialize, Serialize};

/// Why a recording cannot be read, or not on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArchiveError(pub String);

/// One event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number within the session, from 1 and without gaps.
    pub seq: u64,
    /// When it happened, in microseconds since 1970.
    pub at: u64,
    /// The event as JSON, in the form of docs/recording.md.
    pub json: String,
}

/// The events of one session in order, as far as they are written.
pub trait Events: Send {
    /// The next event; `None` where there is none for now. After an error there are no more.
    fn next(&mut self) -> Option<Result<Recorded, ArchiveError>>;

    /// Looks for what has been written since.
    fn again(&mut self) -> Result<(), ArchiveError>;

    /// The session is over and all of it has been read.
    fn is_complete(&self) -> bool;
}

/// A form in which a recording is taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The very bytes of its file, whose seal can be verified.
    #[default]
    Sealed,
    /// One JSON object for each event.
    Jsonl,
    /// What a terminal showed, as asciicast version 2.
    Asciicast,
    /// What a terminal showed, as asciicast version 3.
    AsciicastV3,
    /// One JSON object for each operation, in the words of OCSF.
    Ocsf,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 5] = [Self::Sealed, Self::Jsonl, Self::Asciicast, Self::AsciicastV3, Self::Ocsf];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Jsonl => "jsonl",
            Self::Asciicast => "asciicast",
            Self::AsciicastV3 => "asciicast-v3",
            Self::Ocsf => "ocsf",
        }
    }
}

/// A recording in some form, a piece at a time. After an error there are no more.
pub type Pieces = Box<dyn Iterator<Item = Result<Vec<u8>, ArchiveError>> + Send>;

/// Why a recording cannot be had in a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ArchiveError),
    /// The form plays a terminal, and there is none. The text says which, and what to take instead.
    #[error("{0}")]
    NoTerminal(String),
    /// Nothing of it is sealed yet.
    #[error("the session has just begun, and nothing of it is sealed yet; try again in a few seconds")]
    NotSealed,
}

/// All recordings of a gate, numbered as its sessions are.
pub trait Archive: Send + Sync {
    /// The numbers of sessions from `first` on, in order.
    fn numbers(&self, first: u64) -> Result<Vec<u64>, ArchiveError>;

    /// Something that differs whenever there is more to read of a session.
    fn mark(&self, number: u64) -> [u64; 3];

    /// The events of a session from its first on.
    fn open(&self, number: u64) -> Result<Box<dyn Events>, ArchiveError>;

    /// A session's recording in a form, as far as it is written. `op` is the operation whose terminal is
    /// played; without it, the first that has one.
    fn take(&self, number: u64, form: Form, op: Option<u64>) -> Result<Pieces, FormError>;
}
