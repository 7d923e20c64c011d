//! A session as lists show it, and how it is read from its recording.

use std::collections::BTreeMap;

use portcullis_core::identity::{Identity, Kind};
use portcullis_core::recording::{Event, Status};
use serde::{Deserialize, Serialize};

use crate::archive::Recorded;
use crate::ask::rfc3339;

/// Statements are searched and listed up to so many bytes; the recording has all of them.
const MAX_STATEMENT: usize = 8 << 10;

/// Who opened a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Who {
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's name for them.
    pub subject: String,
    /// A name for people.
    pub name: String,
    /// The verified e-mail address.
    pub email: Option<String>,
    /// `user` or `workload`.
    pub kind: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// Who acts for them, outermost first.
    pub actors: Vec<String>,
}

impl From<&Identity> for Who {
    fn from(identity: &Identity) -> Self {
        let kind = match identity.kind {
            Kind::User => "user",
            Kind::Workload => "workload",
        };
        Self {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            name: identity.name().to_owned(),
            email: identity.email.clone(),
            kind: kind.to_owned(),
            groups: identity.groups.clone(),
            actors: identity.actors.clone(),
        }
    }
}

/// A session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Its number in the archive.
    #[serde(skip)]
    pub number: u64,
    /// The protocol's name.
    pub protocol: String,
    /// The target's name.
    pub target: String,
    /// The client's address.
    pub client: String,
    /// What the client called itself.
    pub application: String,
    /// Who it is.
    pub identity: Who,
    /// When it opened (RFC 3339).
    pub opened_at: String,
    /// When it closed (RFC 3339).
    pub closed_at: Option<String>,
    /// Why it closed.
    pub reason: Option<String>,
    /// It goes on.
    pub live: bool,
    /// Operations so far.
    pub operations: u64,
    /// Operations that were denied.
    pub denied: u64,
    /// Operations that humans were asked about.
    pub asked: u64,
    /// Values that were masked.
    pub masked: u64,
    /// The gate died in the middle of it.
    pub recovered: bool,
    /// Why its recording cannot be read to its end.
    pub problem: Option<String>,
    /// Microseconds since 1970.
    #[serde(skip)]
    pub opened: u64,
    #[serde(skip)]
    pub(super) closed: Option<u64>,
    /// The last event that was read.
    #[serde(skip)]
    pub(super) seq: u64,
}

/// What is new of one operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Change {
    pub(super) op: u64,
    /// When it was asked, the message's kind and its text: where the operation itself is new.
    pub(super) new: Option<(u64, String, String)>,
    pub(super) decision: Option<(String, Vec<String>)>,
    pub(super) outcome: Option<Outcome>,
}

/// How an operation ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) status: &'static str,
    pub(super) rows: u64,
    pub(super) micros: u64,
    pub(super) masked: BTreeMap<String, u64>,
}

impl Session {
    /// Reads one more event. Events that an earlier reading has seen change nothing. `Err` where the
    /// event is of a later version, which is no reason to stop.
    pub(super) fn add(&mut self, recorded: &Recorded, changes: &mut BTreeMap<u64, Change>) {
        if recorded.seq <= self.seq {
            return;
        }
        self.seq = recorded.seq;
        let Ok(event) = serde_json::from_str::<Event<'_>>(&recorded.json) else { return };
        match event {
            Event::Opened { session, protocol, target, client, application, identity } => {
                self.id = session.into_owned();
                self.protocol = protocol.into_owned();
                self.target = target.into_owned();
                self.client = client.into_owned();
                self.application = application.into_owned();
                self.identity = Who::from(&*identity);
                self.opened = recorded.at;
                self.opened_at = rfc3339(recorded.at);
            }
            Event::Operation { op, kind, statement, .. } => {
                self.operations = self.operations.saturating_add(1);
                let bytes = statement.0.get(..MAX_STATEMENT).unwrap_or(&statement.0);
                let text = String::from_utf8_lossy(bytes).into_owned();
                changed(changes, op).new = Some((recorded.at, kind.into_owned(), text));
            }
            Event::Decision { op, decision, policies, .. } => {
                match &*decision {
                    "deny" => self.denied = self.denied.saturating_add(1),
                    "ask-first" => self.asked = self.asked.saturating_add(1),
                    _ => {}
                }
                changed(changes, op).decision = Some((decision.into_owned(), policies.into_owned()));
            }
            Event::Outcome { op, status, rows, micros, masked, .. } => {
                let masked: BTreeMap<String, u64> =
                    masked.into_iter().map(|(tag, count)| (tag.into_owned(), count)).collect();
                self.masked = masked.values().fold(self.masked, |sum, count| sum.saturating_add(*count));
                changed(changes, op).outcome = Some(Outcome { status: word(status), rows, micros, masked });
            }
            Event::Recovered { .. } => self.recovered = true,
            Event::Closed { reason, .. } => {
                self.closed = Some(recorded.at);
                self.closed_at = Some(rfc3339(recorded.at));
                self.reason = Some(reason.into_owned());
            }
            Event::Asked { .. }
            | Event::Answered { .. }
            | Event::Columns { .. }
            | Event::Rows { .. }
            | Event::Terminal { .. }
            | Event::Resize { .. }
            | Event::Gap { .. } => {}
        }
    }
}

/// What is known to be new of an operation.
fn changed(changes: &mut BTreeMap<u64, Change>, op: u64) -> &mut Change {
    changes.entry(op).or_insert_with(|| Change { op, ..Change::default() })
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Refused => "refused",
        Status::Aborted => "aborted",
    }
}
