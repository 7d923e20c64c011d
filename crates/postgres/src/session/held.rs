//! The message at the front of what the client has sent, while it waits for humans: what it was
//! found to do when they were asked, and what they said. It stays where it is, so that what they
//! have approved is what goes on.

use portcullis_core::operation::{Action, Effects};
use portcullis_core::permit::Permit;
use portcullis_core::refusal::Refusal;
use portcullis_sql::vocabulary as sql;

use super::decide::Message;
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

/// A statement whose rows the target can estimate without running any code that the gate does not know.
#[derive(Debug)]
pub(crate) struct Estimable {
    pub(crate) text: String,
    /// It is run with values, and was parsed without them.
    pub(crate) parameters: bool,
    /// The schemas in which its names are looked for.
    pub(crate) path: Vec<Box<str>>,
}

impl Estimable {
    /// One statement that writes rows, of which all code is known to be pure.
    pub(super) fn new(message: &Message<'_>, effects: &Effects, path: Vec<Box<str>>) -> Option<Self> {
        const WRITES: [Action; 4] = [sql::INSERT, sql::UPDATE, sql::DELETE, sql::MERGE];
        const RUNS: [&str; 2] = ["functions", "opaque"];
        let [_] = &message.prepared.analysis.statements[..] else { return None };
        let effects = effects.list();
        let writes = effects.iter().any(|effect| WRITES.contains(&effect.action));
        let pure = effects.iter().all(|effect| {
            let known = effect.action != sql::EXECUTE && effect.action != sql::UNKNOWN;
            known && !RUNS.iter().any(|fact| effect.facts.contains_key(fact))
        });
        let text = String::from_utf8(message.text.to_vec()).ok()?;
        let parameters = message.portal.is_some_and(|portal| portal.parameters > 0);
        (writes && pure).then_some(Self { text, parameters, path })
    }
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
