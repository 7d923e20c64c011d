//! Where asks are kept, so that a restart loses none of them and none of their answers.

mod audit;
mod outbox;
mod sign_ins;
mod sqlite;

use portcullis_core::BoxFuture;

pub use audit::AuditEntry;
pub(crate) use outbox::{Delivery, Next, Notice};
pub use sqlite::Sqlite;
pub(crate) use sqlite::make;

use crate::ask::{Ask, State};

/// The store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store of asks cannot be used: {0}")]
pub struct StoreError(pub String);

/// Keeps asks. What a call has returned from is on disk.
pub trait Store: Send + Sync {
    /// Keeps an ask, in place of what was kept under its id.
    fn put<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<(), StoreError>>;

    /// An ask by its id.
    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Ask>, StoreError>>;

    /// The latest asks, in one of these states, the latest first.
    fn latest<'a>(&'a self, states: &'a [State], most: u32) -> BoxFuture<'a, Result<Vec<Ask>, StoreError>>;
}
