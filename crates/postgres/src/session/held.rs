//! The message at the front of what the client has sent, while it waits for humans: what it was
//! found to do when they were asked, and what they said. It stays where it is, so that what they
//! have approved is what goes on.

use portcullis_core::operation::Effects;
use portcullis_core::permit::Permit;
use portcullis_core::refusal::Refusal;

use super::{Conversation, Fault};
use crate::refusal;
use crate::wire::write::Report;

/// A held message.
#[derive(Debug)]
pub(super) enum Held {
    /// Nobody has answered yet.
    Waiting(Effects),
    /// It may go on, if it still does the same.
    Approved(Effects, Permit),
    /// It may not, and the client is told this.
    Refused(Report),
}

impl Conversation {
    /// Whether a message waits for humans. One that the target would discard waits no longer.
    pub(crate) const fn holds(&self) -> bool {
        matches!(self.held, Some(Held::Waiting(_))) && !self.skipping
    }

    /// Takes the humans' answer. The client's input is to be looked at again after this.
    pub(crate) fn heard(&mut self, verdict: Result<Permit, Refusal>) -> Result<(), Fault> {
        let Some(Held::Waiting(effects)) = self.held.take() else { return Ok(()) };
        self.held = Some(match verdict {
            Ok(permit) => {
                // Much can have happened while it waited.
                self.resolver.refresh();
                Held::Approved(effects, permit)
            }
            Err(refusal) if refusal::ends_session(&refusal) => return Err(Fault::Ended(refusal)),
            Err(refusal) => Held::Refused(refusal::report(&refusal)),
        });
        Ok(())
    }

    /// The client has cancelled what waits.
    pub(crate) fn withdraw(&mut self) {
        if self.holds() {
            self.held = Some(Held::Refused(Report {
                // query_canceled
                code: "57014",
                message: "canceling statement due to user request".into(),
                detail: Some("it was waiting for an approval, and is no longer asked about".into()),
                hint: Some("nothing was sent to the target".into()),
            }));
        }
    }
}
