//! The decision about one message: what it would do in this session, what the pipeline says to
//! that, and what humans have said to it.

use bytes::BytesMut;
use portcullis_core::gate::{Answer, Part, Pending, Session};
use portcullis_core::operation::{Operation, Parameters};
use portcullis_core::permit::Permit;
use portcullis_core::refusal::Refusal;
use portcullis_sql::postgres::Analyzer;

use super::held::{Estimable, Held};
use super::prepared::Values;
use super::touched::Told;
use super::{Conversation, Fault, Portal, Prepared};
use crate::classify;
use crate::refusal;
use crate::relations::Wanted;
use crate::wire::write::{self, Report, Severity};

/// Whose policy and whose analysis.
pub(crate) struct Deciding<'a> {
    pub(crate) session: &'a Session,
    pub(crate) analyzer: &'a Analyzer,
}

/// A message that is an operation.
pub(super) struct Message<'a> {
    kind: &'static str,
    pub(super) text: &'a [u8],
    pub(super) prepared: &'a Prepared,
    pub(super) portal: Option<&'a Portal>,
}

impl<'a> Message<'a> {
    /// A message that runs with no values.
    pub(super) const fn of(kind: &'static str, text: &'a [u8], prepared: &'a Prepared) -> Self {
        Self { kind, text, prepared, portal: None }
    }

    /// The Execute of a portal.
    pub(super) fn executing(portal: &'a Portal) -> Self {
        Self { kind: "Execute", text: &portal.prepared.text, prepared: &portal.prepared, portal: Some(portal) }
    }

    fn operation<'e>(&self, told: &'e Told, account: &'e str, in_transaction: bool) -> Operation<'e>
    where
        'a: 'e,
    {
        let parameters = Parameters {
            count: self.portal.map_or(0, |portal| portal.parameters),
            types: &self.prepared.types,
            values: self.portal.map_or(b"", |portal| portal.values.text()),
        };
        let (effects, carries) = (&told.effects, told.carries);
        Operation { kind: self.kind, statement: self.text, parameters, effects, account, in_transaction, carries }
    }
}

/// What a decision led to: the entry to queue, or what has to come first.
pub(super) enum Decided {
    /// The message goes on.
    Permit(Permit),
    /// The client gets this error.
    Refused(BytesMut),
    /// This has to be looked up.
    Resolve(Wanted),
    /// Humans have to answer. What it would write may be estimated.
    Ask(Box<Pending>, Option<Estimable>),
}

impl Conversation {
    /// Decides a message that is run.
    pub(super) fn decide(&mut self, message: &Message<'_>, deciding: &Deciding<'_>) -> Result<Decided, Fault> {
        let told = match self.told(message) {
            Ok(told) => told,
            Err(wanted) => return Ok(Decided::Resolve(wanted)),
        };
        let operation = message.operation(&told, &self.account, self.status != b'I');
        if let Some(held) = self.held.take() {
            return after_hold(held, message, &operation, deciding.session);
        }
        if let Some(reason) = classify::forbidden(&message.prepared.analysis) {
            return refused(&deciding.session.refuse(&operation, reason));
        }
        let answer = match message.portal.and_then(Portal::approved) {
            Some(of) => deciding.session.decide_part(&operation, Part::Continuation { of }).answer,
            None => deciding.session.decide(&operation),
        };
        match answer {
            Answer::Permit(permit) => Ok(Decided::Permit(permit)),
            Answer::Refuse(refusal) => refused(&refusal),
            // What cannot be shown is not asked about: dropping the ask withdraws it.
            Answer::Ask(pending) => match unshown(message) {
                Some(report) => Ok(Decided::Refused(error(&report))),
                None => {
                    let estimable =
                        self.resolver.path_now().and_then(|path| Estimable::new(message, &told.effects, path));
                    self.held = Some(Held::Waiting(told.effects));
                    Ok(Decided::Ask(Box::new(pending), estimable))
                }
            },
        }
    }

    /// Decides a message that only prepares what another will run: the ask, if one is needed, comes
    /// then, because the values are a part of what is asked.
    pub(super) fn prepare(&mut self, message: &Message<'_>, deciding: &Deciding<'_>) -> Result<Decided, Fault> {
        let told = match self.told(message) {
            Ok(told) => told,
            Err(wanted) => return Ok(Decided::Resolve(wanted)),
        };
        let operation = message.operation(&told, &self.account, self.status != b'I');
        if let Some(reason) = classify::forbidden(&message.prepared.analysis) {
            return refused(&deciding.session.refuse(&operation, reason));
        }
        let decided = deciding.session.decide_part(&operation, Part::Preparation);
        message.prepared.set_asks(decided.asks);
        match decided.answer {
            Answer::Permit(permit) => Ok(Decided::Permit(permit)),
            Answer::Refuse(refusal) => refused(&refusal),
            Answer::Ask(_) => refused(&Refusal::NobodyToAsk),
        }
    }
}

/// What becomes of a message that waited for humans: it is what they were shown, or it is refused.
fn after_hold(
    held: Held,
    message: &Message<'_>,
    operation: &Operation<'_>,
    session: &Session,
) -> Result<Decided, Fault> {
    match held {
        Held::Approved(effects, permit) if effects.digest() == operation.effects.digest() => {
            message.portal.inspect(|portal| portal.set_approved(permit.number()));
            Ok(Decided::Permit(permit))
        }
        Held::Approved(..) => {
            refused(&session.refuse(operation, "what its names stand for changed while it waited; ask again"))
        }
        Held::Refused(report) => Ok(Decided::Refused(error(&report))),
        Held::Waiting(_) => refused(&Refusal::NotApproved),
    }
}

fn refused(refusal: &Refusal) -> Result<Decided, Fault> {
    if refusal::ends_session(refusal) {
        return Err(Fault::Ended(refusal.clone()));
    }
    Ok(Decided::Refused(error(&refusal::report(refusal))))
}

fn error(report: &Report) -> BytesMut {
    let mut error = BytesMut::new();
    write::report(&mut error, Severity::Error, report);
    error
}

/// Why approvers cannot be shown what this message runs with, for the client.
fn unshown(message: &Message<'_>) -> Option<Report> {
    let (text, hint) = match message.portal.map(|portal| &portal.values) {
        None | Some(Values::None | Values::Read(_)) => return None,
        Some(Values::Unread) => {
            // From here on they are read.
            message.prepared.set_asks(true);
            ("this statement has come to need an approval since its values were bound", "bind the values again")
        }
        Some(Values::TooLarge) => (
            "this statement needs an approval, and its values are too large to be shown to anyone",
            "bind less at once",
        ),
    };
    Some(Report {
        // object_not_in_prerequisite_state
        code: "55000",
        message: text.into(),
        detail: Some("nothing was sent to the target".into()),
        hint: Some(hint.into()),
    })
}
