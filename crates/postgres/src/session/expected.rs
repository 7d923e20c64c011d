//! One entry of the queue of expected replies: what was forwarded, and what answers it.

use std::sync::Arc;

use bytes::BytesMut;
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::recording::Status;
use portcullis_core::refusal::Refusal;

use super::result::{Description, ResultSet};
use super::{Portal, Prepared};
use crate::mask;

/// The longest command tags or error text that is recorded of one operation, in bytes.
const MAX_MESSAGE: usize = 4_096;

/// What was forwarded.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A simple query, with what its text would do.
    Query(Arc<Prepared>),
    /// A Parse under this name.
    Parse(Box<[u8]>, Arc<Prepared>),
    /// A Bind of this portal.
    Bind(Box<[u8]>, Portal),
    /// A Describe of a statement or portal.
    Describe,
    /// An Execute, with what it runs where that is known.
    Execute(Option<Arc<Prepared>>),
    /// A Close of a statement (`S`) or portal (`P`).
    Close(u8, Box<[u8]>),
    /// A Sync.
    Sync,
}

/// One forwarded message and its answer so far.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) kind: Kind,
    /// The operation's permit; none for messages that are no operation of their own.
    pub(crate) permit: Option<Permit>,
    /// Our error, where the message that was forwarded stands in for a refused one.
    pub(crate) stand_in: Option<BytesMut>,
    /// Statements of the text that the target has done.
    pub(crate) done: usize,
    /// What the rows that answer it are made of, and how they are shown.
    pub(crate) result: ResultSet,
    /// The gate asked by itself, so the client does not hear the answer.
    pub(crate) silent: bool,
    rows: u64,
    bytes: u64,
    tags: Vec<u8>,
    error: Option<String>,
}

impl Expected {
    pub(crate) const fn new(kind: Kind, permit: Option<Permit>) -> Self {
        Self {
            kind,
            permit,
            stand_in: None,
            done: 0,
            result: ResultSet::NONE,
            silent: false,
            rows: 0,
            bytes: 0,
            tags: Vec::new(),
            error: None,
        }
    }

    pub(crate) fn refused(kind: Kind, error: BytesMut) -> Self {
        Self { stand_in: Some(error), ..Self::new(kind, None) }
    }

    /// With the description that this message asks for, or that its rows are of.
    pub(crate) fn described_by(mut self, description: &Description) -> Self {
        self.result.description = Some(description.clone());
        self
    }

    pub(crate) fn count(&mut self, rows: u64, bytes: usize) {
        self.rows = self.rows.saturating_add(rows);
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    pub(crate) fn tagged(&mut self, tag: &[u8]) {
        if self.tags.len().saturating_add(tag.len()) < MAX_MESSAGE {
            if !self.tags.is_empty() {
                self.tags.extend_from_slice(b"; ");
            }
            self.tags.extend_from_slice(tag);
        }
    }

    pub(crate) fn failed(&mut self, code: &[u8], message: &[u8]) {
        self.error = Some(String::from_utf8_lossy(code).into_owned());
        self.tags.clear();
        self.tags.extend_from_slice(message.get(..MAX_MESSAGE).unwrap_or(message));
    }

    /// Records the outcome. Messages that are no operation have none.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        let Some(mut permit) = self.permit else { return Ok(()) };
        let (status, code) = match &self.error {
            Some(code) => (Status::Failed, code.as_str()),
            None => (Status::Completed, ""),
        };
        let message = mask::message(&mut permit, &self.tags);
        permit.finish(&Outcome { status, message, code, rows: self.rows, bytes: self.bytes })
    }
}
