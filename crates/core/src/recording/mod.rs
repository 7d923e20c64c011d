//! Recording: what is written down of a session, and the port that writes it.
//!
//! How a record is sealed, stored and verified is the adapter's business. What reaches this port
//! from a target's replies is [`Masked`](crate::masking::Masked) before it gets here.

mod event;

pub use event::{Column, Event, Status, Stream, Text};

use crate::policy::Subject;

/// Why something could not be recorded. For the operator; the client is told only that it was not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RecordError(pub String);

/// The port that opens recordings.
pub trait Recorder: Send + Sync {
    /// Begins the recording of a session and writes its [`Event::Opened`]. The recording's id
    /// becomes the session's id. An error here means that the session does not begin.
    fn open(&self, opening: &Opening<'_>) -> Result<Box<dyn Recording>, RecordError>;
}

/// What is known when a session opens.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// Who, on which target.
    pub subject: &'a Subject,
    /// The protocol's name.
    pub protocol: &'static str,
    /// Microseconds since 1970-01-01 UTC.
    pub at: u64,
}

/// The recording of one live session. Dropping it seals it.
pub trait Recording: Send + Sync {
    /// The session's id: unique for this gate, numbered without gaps.
    fn id(&self) -> &str;

    /// Adds an event that happened at `at`, microseconds since 1970-01-01 UTC. The event may stay
    /// in memory until [`commit`](Recording::commit).
    fn append(&self, at: u64, event: &Event<'_>) -> Result<(), RecordError>;

    /// Makes everything appended so far survive the death of this process, and of the machine
    /// where the target is configured so. Cheap when there is nothing new.
    fn commit(&self) -> Result<(), RecordError>;
}
