//! Where values live in what the target says, and how their client may see them: rows, errors,
//! notices, notifications and settings.
//!
//! Which tags a value carries is decided by where it comes from ([`origin`]); what is hidden, and
//! how it is shown, by core.

mod copy;
mod form;
mod origin;
mod plan;
mod report;
mod value;

use bytes::BytesMut;
use portcullis_core::masking::{Field, Masked, View};
use portcullis_core::permit::Permit;

pub(crate) use self::copy::Copying;
pub(crate) use self::origin::{Asked, Touched, copied, touched, treatments, worst};
pub(crate) use self::plan::Plan;
pub(crate) use self::report::setting;
use crate::wire::WireError;

/// A command tag or an error's message, as the record may show it.
pub(crate) fn message<'v>(permit: &mut Permit, text: &'v [u8]) -> Masked<'v> {
    permit.mask(&Field::CLEAN, text)
}

/// Appends an error, a notice or a notification as a client may see it from whom `view` hides
/// something. `permit` is that of the operation which it answers.
pub(crate) fn text(
    tag: u8,
    body: &[u8],
    view: &View,
    permit: Option<&mut Permit>,
    out: &mut BytesMut,
) -> Result<(), WireError> {
    // Without an operation nobody looks into a text for what it looks like, so it is not trusted.
    let unseen = permit.is_none() && view.scans();
    let quotes = unseen || !view.all().is_empty();
    let mut permit = permit.filter(|_| view.scans());
    let scan = |text: &[u8]| match &mut permit {
        Some(permit) => permit.mask(&Field::TEXT, text).into_bytes().unwrap_or_default().into_owned(),
        None => text.to_vec(),
    };
    if tag == b'A' {
        report::notification(body, quotes, scan, out)
    } else {
        report::report(tag, body, quotes, scan, out)
    }
}
