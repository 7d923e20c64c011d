//! The port through which the control plane reads recordings. Where they are, and in which form, is
//! the adapter's business. Everything here may block: callers are on threads for that.

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

/// All recordings of a gate, numbered as its sessions are.
pub trait Archive: Send + Sync {
    /// The numbers of sessions from `first` on, in order.
    fn numbers(&self, first: u64) -> Result<Vec<u64>, ArchiveError>;

    /// Something that differs whenever there is more to read of a session.
    fn mark(&self, number: u64) -> [u64; 3];

    /// The events of a session from its first on.
    fn open(&self, number: u64) -> Result<Box<dyn Events>, ArchiveError>;
}
