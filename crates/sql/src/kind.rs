//! Which kind of statement a statement is.
//!
//! A kind is a label for people, logs and the session's bookkeeping. Policy goes by effects: a
//! `Select` may delete.

/// The kind of a statement, by its own keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each kind is the statement of its name")]
pub enum Kind {
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Truncate,
    Lock,
    CopyIn,
    CopyOut,
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    PrepareTransaction,
    CommitPrepared,
    RollbackPrepared,
    Set,
    Show,
    Reset,
    Discard,
    Prepare,
    Execute,
    Deallocate,
    Declare,
    Fetch,
    Close,
    Explain,
    Listen,
    Unlisten,
    Notify,
    Create,
    Alter,
    Drop,
    Comment,
    Grant,
    Revoke,
    Do,
    Call,
    Vacuum,
    Analyze,
    Cluster,
    Reindex,
    Refresh,
    Checkpoint,
    Load,
    SecurityLabel,
    Import,
    /// `REASSIGN OWNED`.
    Reassign,
    /// Nothing but blanks and comments.
    Empty,
    /// None of these, or a text that cannot be read.
    Unknown,
}

impl Kind {
    /// The kind in words, as in `copy in` or `rollback to`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Truncate => "truncate",
            Self::Lock => "lock",
            Self::CopyIn => "copy in",
            Self::CopyOut => "copy out",
            Self::Begin => "begin",
            Self::Commit => "commit",
            Self::Rollback => "rollback",
            Self::Savepoint => "savepoint",
            Self::Release => "release",
            Self::RollbackTo => "rollback to",
            Self::PrepareTransaction => "prepare transaction",
            Self::CommitPrepared => "commit prepared",
            Self::RollbackPrepared => "rollback prepared",
            Self::Set => "set",
            Self::Show => "show",
            Self::Reset => "reset",
            Self::Discard => "discard",
            Self::Prepare => "prepare",
            Self::Execute => "execute",
            Self::Deallocate => "deallocate",
            Self::Declare => "declare",
            Self::Fetch => "fetch",
            Self::Close => "close",
            Self::Explain => "explain",
            Self::Listen => "listen",
            Self::Unlisten => "unlisten",
            Self::Notify => "notify",
            Self::Create => "create",
            Self::Alter => "alter",
            Self::Drop => "drop",
            Self::Comment => "comment",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Do => "do",
            Self::Call => "call",
            Self::Vacuum => "vacuum",
            Self::Analyze => "analyze",
            Self::Cluster => "cluster",
            Self::Reindex => "reindex",
            Self::Refresh => "refresh",
            Self::Checkpoint => "checkpoint",
            Self::Load => "load",
            Self::SecurityLabel => "security label",
            Self::Import => "import",
            Self::Reassign => "reassign",
            Self::Empty => "empty",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
