//! What the rows of one answer are made of, and how their client may see them.

use std::sync::{Arc, Mutex, PoisonError};

use crate::mask::{Copying, Plan};
use crate::wire::rows::Column;

/// The columns of a portal, from when the target has described it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Description(Arc<Mutex<Option<Arc<[Column]>>>>);

impl Description {
    pub(super) fn set(&self, columns: Arc<[Column]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(columns);
    }

    pub(super) fn get(&self) -> Option<Arc<[Column]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is known, for the record, of the columns of rows that have no description of their own.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// The columns of the rows that come now have been recorded, as far as they are known.
    pub(super) begun: bool,
    /// The description of the statement, and the formats that its Bind asked for.
    pub(super) of_statement: Option<(Description, Box<[bool]>)>,
    /// The columns of a simple query.
    pub(super) columns: Option<Arc<[Column]>>,
}

impl Recorded {
    const NONE: Self = Self { begun: false, of_statement: None, columns: None };
}

/// The rows that answer one message.
#[derive(Debug, Default)]
pub(crate) struct ResultSet {
    pub(super) description: Option<Description>,
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) copying: Option<Copying>,
    pub(super) recorded: Recorded,
}

impl ResultSet {
    pub(super) const NONE: Self = Self { description: None, plan: None, copying: None, recorded: Recorded::NONE };
}
