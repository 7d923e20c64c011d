//! What can be wrong with a recording, and where.

use std::io;
use std::path::{Path, PathBuf};

/// Bytes that are not as they were written. The first bad byte is at `offset` or, where only a
/// digest tells, somewhere in the `length` bytes from there; everything before is good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}`, bytes {offset} to {}: {what}", path.display(), offset.saturating_add(*length))]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where the smallest part that can be checked alone begins.
    pub offset: u64,
    /// How long that part is.
    pub length: u64,
    /// What is wrong with it.
    pub what: String,
}

impl Damage {
    pub(super) fn new(path: &Path, offset: u64, length: u64, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), offset, length, what: what.into() }
    }
}

/// Why a recording cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system does not give the file's content.
    #[error("`{}` cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content is not as it was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

impl ReadError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
