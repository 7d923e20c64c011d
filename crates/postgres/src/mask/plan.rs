//! What is done with the columns of one result, made once and used for all its rows.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use portcullis_core::permit::Permit;

use super::report::framed;
use super::value::{Treatment, put};
use crate::wire::WireError;
use crate::wire::rows::Values;

/// What is done with each column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    columns: Box<[Treatment]>,
    passes: bool,
}

impl Plan {
    pub(crate) fn new(columns: Vec<Treatment>) -> Self {
        let passes = columns.iter().all(|column| column.passes());
        Self { columns: columns.into(), passes }
    }

    /// Whether rows pass as they are.
    pub(crate) const fn passes(&self) -> bool {
        self.passes
    }

    /// How many columns there are.
    pub(crate) const fn columns(&self) -> usize {
        self.columns.len()
    }

    /// A column's value as its client may see it; `None` is NULL.
    pub(crate) fn show<'v>(
        &self,
        column: usize,
        value: Option<&'v [u8]>,
        permit: &mut Permit,
    ) -> Option<Cow<'v, [u8]>> {
        self.columns.get(column)?.show(value?, permit)
    }

    /// Appends a `DataRow` as its client may see it. A row of other columns than were described is an
    /// error.
    pub(crate) fn row(&self, body: &[u8], permit: &mut Permit, out: &mut BytesMut) -> Result<(), WireError> {
        let mut values = Values::of(body)?;
        if values.left() != self.columns.len() {
            return Err(WireError::Malformed { tag: b'D' });
        }
        let mut outcome = Ok(());
        framed(b'D', out, |out| {
            out.put_slice(body.get(..2).unwrap_or_default());
            outcome = self.columns.iter().try_for_each(|column| {
                let shown = values.value()?.and_then(|value| column.show(value, permit));
                put(out, shown.as_deref());
                Ok(())
            });
        });
        outcome.and_then(|()| values.end())
    }
}
