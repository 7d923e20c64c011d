//! Every way in which the gate says no to a client.
//!
//! A refusal is written for the client, person or program: short, actionable, without internals.
//! What went wrong inside is a [`ServeError`](crate::protocol::ServeError) for the operator.
//! Protocols match it exhaustively, so a new variant breaks every build, on purpose.

use std::sync::Arc;

use crate::policy::Ruling;
use crate::sessions::EndReason;

/// Why the gate refuses.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// The client has not proven who it is.
    Unidentified(Unidentified),
    /// Policy denies the operation.
    Denied(Arc<Ruling>),
    /// A human denied the operation, with this reason.
    Rejected(String),
    /// Nobody approved the operation in time.
    NotApproved,
    /// The operation needs an approval, and nobody can be asked now.
    NobodyToAsk,
    /// The operation cannot be recorded, so it is not done.
    NotRecorded,
    /// The session is ending or has ended.
    Ended(EndReason),
    /// A value that must be masked cannot be.
    NotMaskable,
}

/// Why a client is not identified. It is deliberately coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unidentified {
    /// The credential is not acceptable.
    Rejected,
    /// The credential has expired.
    Expired,
    /// Identities cannot be verified now.
    Unavailable,
}

impl Refusal {
    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unidentified(Unidentified::Rejected) => "unidentified",
            Self::Unidentified(Unidentified::Expired) => "token-expired",
            Self::Unidentified(Unidentified::Unavailable) => "identity-unavailable",
            Self::Denied(_) => "policy-denied",
            Self::Rejected(_) => "approval-denied",
            Self::NotApproved => "approval-expired",
            Self::NobodyToAsk => "approval-unavailable",
            Self::NotRecorded => "recorder-unavailable",
            Self::Ended(_) => "session-ended",
            Self::NotMaskable => "not-maskable",
        }
    }

    /// What was refused and by whom, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Unidentified(Unidentified::Rejected) => "the token was not accepted".into(),
            Self::Unidentified(Unidentified::Expired) => "the token has expired".into(),
            Self::Unidentified(Unidentified::Unavailable) => "the token cannot be verified now".into(),
            Self::Denied(ruling) => match ruling.policies.as_slice() {
                [] => "denied by the gate".into(),
                ids => format!("denied by policy `{}`", ids.join("`, `")),
            },
            Self::Rejected(_) => "denied by an approver".into(),
            Self::NotApproved => "denied: nobody approved this in time".into(),
            Self::NobodyToAsk => "denied: this needs an approval, and nobody can be asked now".into(),
            Self::NotRecorded => "refused: the gate cannot record this operation".into(),
            Self::Ended(reason) => format!("the session has ended: {}", reason.sentence()),
            Self::NotMaskable => "refused: a value that must be masked cannot be".into(),
        }
    }

    /// The reason behind the message, where there is more to say.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Denied(ruling) if !ruling.reason.is_empty() => Some(ruling.reason.clone()),
            Self::Rejected(reason) => Some(reason.clone()),
            Self::Unidentified(_)
            | Self::Denied(_)
            | Self::NotApproved
            | Self::NobodyToAsk
            | Self::NotRecorded
            | Self::Ended(_)
            | Self::NotMaskable => None,
        }
    }

    /// What to do instead.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unidentified(Unidentified::Rejected) => {
                "log in with a token whose audience is this gate, and use it as the password"
            }
            Self::Unidentified(Unidentified::Expired) => "get a fresh token and connect again",
            Self::Unidentified(Unidentified::Unavailable) => "try again shortly; if it lasts, tell the gate's operator",
            Self::Denied(_) => "nothing was sent to the target; ask whoever keeps the policies of this gate",
            Self::Rejected(_) => "nothing was sent to the target; talk to the approver before you ask again",
            Self::NotApproved | Self::NobodyToAsk => {
                "nothing was sent to the target; ask again when an approver is at hand"
            }
            Self::NotRecorded => "nothing was sent to the target; tell the gate's operator",
            Self::Ended(_) => "connect again",
            Self::NotMaskable => "ask for other columns or another format; tell the gate's operator",
        }
    }
}
