//! Rows as their client gets them, for the record: the first of each operation, as far as there is
//! room for them.

use std::sync::Arc;

use portcullis_core::masking::Field;
use portcullis_core::permit::Permit;
use portcullis_core::recording;

use super::result::ResultSet;
use super::{Conversation, Expected, Fault};
use crate::shown;
use crate::wire::frame::{HEADER, Header};
use crate::wire::rows::{Column, Values};

impl Conversation {
    /// The rows that come next have these columns.
    pub(super) fn rows_begin(&mut self, columns: &Arc<[Column]>) {
        if let Some(front) = self.expected.front_mut() {
            front.result.recorded.columns = Some(Arc::clone(columns));
            front.result.recorded.begun = false;
        }
    }
}

impl Expected {
    /// Whether there is room for more of its rows in the record.
    pub(super) fn records_rows(&self) -> bool {
        self.permit.as_ref().is_some_and(|permit| permit.recorded_room() > 0)
    }

    /// Records a row that passes as it came. Says whether it is dealt with; if not, more of it has to
    /// arrive first, which is not waited for where there is no room for it.
    pub(super) fn record_row(&mut self, header: Header, input: &[u8]) -> Result<bool, Fault> {
        let Some(permit) = &mut self.permit else { return Ok(true) };
        // The limit is the record's own, so it bounds what is waited for.
        if header.total > permit.recorded_room().saturating_add(HEADER) {
            permit.record_no_more();
            return Ok(true);
        }
        match input.get(HEADER..header.total) {
            Some(body) => row(permit, &mut self.result, body).map(|()| true),
            None => Ok(false),
        }
    }
}

/// Records a row, and before the first what its columns are.
pub(super) fn row(permit: &mut Permit, result: &mut ResultSet, body: &[u8]) -> Result<(), Fault> {
    let columns = columns(result);
    if !result.recorded.begun {
        result.recorded.begun = true;
        let told = columns.iter().flat_map(|columns| columns.iter());
        let told: Vec<_> = told
            .map(|column| recording::Column { name: column.name.to_string(), kind: shown::type_name(column.kind) })
            .collect();
        permit.record_columns(&told).map_err(Fault::Ended)?;
    }
    // What is not as the protocol has it passes, or not, elsewhere; here it is only not recorded.
    let Ok(mut values) = Values::of(body) else { return Ok(()) };
    let mut row = Vec::with_capacity(values.left());
    while values.left() > 0 {
        let column = columns.as_ref().and_then(|columns| columns.get(row.len()));
        let Ok(value) = values.value() else { return Ok(()) };
        row.push(
            value.map(|value| column.map_or(value.into(), |column| shown::text(column.kind, column.binary, value))),
        );
    }
    // What the client gets went through masking before.
    let row = row.iter().map(|value| Some(permit.mask(&Field::CLEAN, value.as_ref()?))).collect();
    permit.record_row(row).map_err(Fault::Ended)
}

/// The columns of the rows that come now, where they are known.
fn columns(result: &ResultSet) -> Option<Arc<[Column]>> {
    if let Some(known) = result.recorded.columns.clone().or_else(|| result.description.as_ref()?.get()) {
        return Some(known);
    }
    let (description, formats) = result.recorded.of_statement.as_ref()?;
    let columns = description.get()?;
    let format = |place: usize| match &formats[..] {
        [] => false,
        [all] => *all,
        each => each.get(place).copied().unwrap_or_default(),
    };
    let formatted = columns.iter().enumerate();
    Some(formatted.map(|(place, column)| Column { binary: format(place), ..column.clone() }).collect())
}
