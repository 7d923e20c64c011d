//! Where values live in what the target says. Until rules name columns, only the text that goes
//! into the record of an outcome is looked at.

use portcullis_core::masking::{Field, Masked};
use portcullis_core::permit::Permit;

/// A command tag or an error's message, as the record may show it.
pub(crate) fn message<'v>(permit: &mut Permit, text: &'v [u8]) -> Masked<'v> {
    permit.mask(&Field::CLEAN, text)
}
