//! Refusals in PostgreSQL's words: SQLSTATE, message, DETAIL and HINT.

use portcullis_core::refusal::{Refusal, Unidentified};

use crate::wire::write::Report;

/// The refusal as the fields of an `ErrorResponse` (PostgreSQL manual, appendix "PostgreSQL Error
/// Codes").
pub(crate) fn report(refusal: &Refusal) -> Report {
    Report {
        code: sqlstate(refusal),
        message: format!("{} [{}]", refusal.message(), refusal.code()),
        detail: refusal.detail(),
        hint: Some(refusal.hint().to_owned()),
    }
}

const fn sqlstate(refusal: &Refusal) -> &'static str {
    match refusal {
        // invalid_authorization_specification
        Refusal::Unidentified(Unidentified::Rejected | Unidentified::Expired) => "28000",
        // cannot_connect_now
        Refusal::Unidentified(Unidentified::Unavailable) => "57P03",
        // insufficient_privilege
        Refusal::Denied(_) | Refusal::Rejected(_) | Refusal::NotApproved | Refusal::NobodyToAsk => "42501",
        // io_error
        Refusal::NotRecorded => "58030",
        // admin_shutdown
        Refusal::Ended(_) => "57P01",
        // feature_not_supported
        Refusal::NotMaskable => "0A000",
    }
}

/// Whether the session can go on after this refusal.
pub(crate) const fn ends_session(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Unidentified(_) | Refusal::NotRecorded | Refusal::Ended(_) => true,
        Refusal::Denied(_)
        | Refusal::Rejected(_)
        | Refusal::NotApproved
        | Refusal::NobodyToAsk
        | Refusal::NotMaskable => false,
    }
}
