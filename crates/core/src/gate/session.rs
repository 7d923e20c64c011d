//! An identified client's session: it decides operations and opens the connection to the target.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::{Pending, Shared, TargetSpec};
use crate::guarded::Guarded;
use crate::operation::Operation;
use crate::permit::Permit;
use crate::policy::{Decision, Ruling, Subject};
use crate::protocol::ServeError;
use crate::recording::{Event, Status, Text};
use crate::refusal::Refusal;
use crate::sessions::Ending;

/// A session: the only thing that decides.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    target: Arc<TargetSpec>,
}

impl std::fmt::Debug for TargetSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What becomes of an operation.
#[derive(Debug)]
pub enum Answer {
    /// Forward it.
    Permit(Permit),
    /// Show the notice, wait, and forward exactly the same bytes if the wait yields a permit.
    Ask(Pending),
    /// Tell the client why not.
    Refuse(Refusal),
}

/// A part of an operation that is asked about elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It only prepares an operation, which is decided when it runs, with all that it runs with.
    Preparation,
    /// It goes on with what an approved operation has begun.
    Continuation {
        /// The approved operation's number.
        of: u64,
    },
}

/// What becomes of a part.
#[derive(Debug)]
pub struct Parted {
    /// Permit or Refuse.
    pub answer: Answer,
    /// Whether the whole needs an approval, by the policy of now.
    pub asks: bool,
}

impl Session {
    pub(crate) const fn new(shared: Arc<Shared>, target: Arc<TargetSpec>) -> Self {
        Self { shared, target }
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        self.shared.id()
    }

    /// Who it is, and on which target.
    pub fn subject(&self) -> &Subject {
        &self.shared.subject
    }

    /// The target behind this session.
    pub fn target(&self) -> &TargetSpec {
        &self.target
    }

    /// Whether the session goes on, as of now.
    pub fn ending(&self) -> Ending {
        self.shared.ending()
    }

    /// Tells of every change of [`ending`](Session::ending) from outside.
    pub fn endings(&self) -> watch::Receiver<Ending> {
        self.shared.endings()
    }

    /// Says why the session ends, for its record. The first reason stays.
    pub fn close(&self, reason: impl Into<String>) {
        self.shared.close(reason.into());
    }

    /// Decides an operation by the policy of now, and records the decision. A refused operation's
    /// outcome is recorded here as well; a permitted one's by [`Permit::finish`].
    pub fn decide(&self, operation: &Operation<'_>) -> Answer {
        let now = self.shared.now();
        self.answer(operation, now, self.rule(operation, now))
    }

    /// Decides a part of something larger that humans are asked about elsewhere. What policy would
    /// ask about is allowed here, and recorded with the reason why nobody is asked.
    pub fn decide_part(&self, operation: &Operation<'_>, part: Part) -> Parted {
        let now = self.shared.now();
        let mut asks = false;
        let ruled = self.rule(operation, now).map(|ruling| {
            if !matches!(ruling.decision, Decision::AskFirst(_)) {
                return ruling;
            }
            asks = true;
            let reason = match part {
                Part::Preparation => format!("needs an approval when it runs: {}", ruling.reason),
                Part::Continuation { of } => format!("goes on with operation {of}, which was approved"),
            };
            Arc::new(Ruling { decision: Decision::Allow, reason, ..(*ruling).clone() })
        });
        Parted { answer: self.answer(operation, now, ruled), asks }
    }

    /// Refuses an operation that the protocol cannot let pass whatever policy says, and records
    /// that. `reason` is for the client.
    pub fn refuse(&self, operation: &Operation<'_>, reason: &str) -> Refusal {
        let now = self.shared.now();
        match self.answer(operation, now, Err(denied(reason))) {
            Answer::Refuse(refusal) => refusal,
            // An operation that is ruled an error gets no other answer.
            Answer::Permit(_) | Answer::Ask(_) => denied(reason),
        }
    }

    fn answer(&self, operation: &Operation<'_>, now: SystemTime, ruled: Result<Arc<Ruling>, Refusal>) -> Answer {
        let op = self.shared.next_operation();
        let (word, ruling) = match &ruled {
            Ok(ruling) => (ruling.decision.word(), Some(&**ruling)),
            Err(Refusal::Denied(ruling)) => (Decision::Deny.word(), Some(&**ruling)),
            Err(_) => (Decision::Deny.word(), None),
        };
        if let Err(refusal) = self.record(op, now, operation, word, ruling, ruled.as_ref().err()) {
            return Answer::Refuse(refusal);
        }
        match ruled {
            Err(refusal) => self.turn_away(op, now, refusal),
            Ok(ruling) => match ruling.decision {
                Decision::Allow => Answer::Permit(Shared::admit(&self.shared, op, now, &ruling)),
                Decision::AskFirst(_) => self.ask(op, now, operation, ruling),
                Decision::Deny => self.turn_away(op, now, Refusal::Denied(ruling)),
            },
        }
    }

    /// Opens the connection to the target under the permit of the operation that connects.
    /// `connect` gets the target's description and returns the target's end of the session.
    pub async fn dial<U, F>(
        &self,
        permit: &Permit,
        connect: impl FnOnce(Arc<TargetSpec>) -> F,
    ) -> Result<Guarded<U>, ServeError>
    where
        F: Future<Output = Result<U, ServeError>>,
    {
        let not_recorded =
            || ServeError::Gate(String::from("the connection's permit is not of this session or cannot be recorded"));
        if !permit.belongs_to(&self.shared) {
            return Err(not_recorded());
        }
        // no record, no connection
        self.shared.commit().map_err(|_| not_recorded())?;
        let target = connect(Arc::clone(&self.target)).await?;
        Ok(Guarded::new(target, Arc::clone(&self.shared)))
    }

    fn rule(&self, operation: &Operation<'_>, now: SystemTime) -> Result<Arc<Ruling>, Refusal> {
        match self.shared.ending() {
            Ending::NotYet => {}
            Ending::Finish(reason) | Ending::Now(reason) => return Err(Refusal::Ended(reason)),
        }
        if operation.effects.list().is_empty() {
            // What does nothing that anybody could name is not understood, and not passed.
            return Err(denied("nothing is known of what this operation does"));
        }
        let ruling = self.shared.rule(operation.effects, now);
        // What a human has to approve is not refused for what it carries: they are told of it.
        if ruling.decision == Decision::Allow && !operation.carries.is_empty() {
            let hidden = self.shared.hidden(&ruling, now, operation.carries);
            if !hidden.is_empty() {
                return Err(would_uncover(&ruling, &hidden));
            }
        }
        Ok(ruling)
    }

    fn record(
        &self,
        op: u64,
        now: SystemTime,
        operation: &Operation<'_>,
        decision: &'static str,
        ruling: Option<&Ruling>,
        refusal: Option<&Refusal>,
    ) -> Result<(), Refusal> {
        self.shared.append(
            now,
            &Event::Operation {
                op,
                kind: operation.kind.into(),
                statement: Text(operation.statement.into()),
                parameters: operation.parameters.count,
                types: operation.parameters.types.into(),
                effects: std::borrow::Cow::Borrowed(operation.effects.json()),
            },
        )?;
        let reason = match (ruling, refusal) {
            (Some(ruling), _) => ruling.reason.as_str().into(),
            (None, Some(refusal)) => refusal.message().into(),
            (None, None) => "".into(),
        };
        self.shared.append(
            now,
            &Event::Decision {
                op,
                decision: decision.into(),
                policies: ruling.map_or(&[][..], |ruling| &ruling.policies).into(),
                reason,
                revision: ruling.map_or("", |ruling| &ruling.revision).into(),
            },
        )
    }

    fn ask(&self, op: u64, now: SystemTime, operation: &Operation<'_>, ruling: Arc<Ruling>) -> Answer {
        match Pending::put(&self.shared, op, now, operation, ruling) {
            Ok(pending) => Answer::Ask(pending),
            Err(refusal) => self.turn_away(op, now, refusal),
        }
    }

    fn turn_away(&self, op: u64, now: SystemTime, refusal: Refusal) -> Answer {
        let recorded = refused(&self.shared, op, now, &refusal);
        Answer::Refuse(recorded.err().unwrap_or(refusal))
    }
}

/// A denial of what would store hidden values where nothing hides them.
fn would_uncover(ruling: &Ruling, tags: &[String]) -> Refusal {
    let reason = format!(
        "it would store values that are hidden from you (`{}`) where nothing hides them; have it approved, or done by \
         somebody who may see them",
        tags.join("`, `")
    );
    Refusal::Denied(Arc::new(Ruling { decision: Decision::Deny, reason, ..ruling.clone() }))
}

/// A denial that no policy had to be asked for.
pub(super) fn denied(reason: &str) -> Refusal {
    Refusal::Denied(Arc::new(Ruling {
        decision: Decision::Deny,
        policies: Vec::new(),
        reason: reason.to_owned(),
        revision: Arc::from(""),
    }))
}

/// Records that an operation was refused after all.
pub(super) fn refused(shared: &Shared, op: u64, at: SystemTime, refusal: &Refusal) -> Result<(), Refusal> {
    shared.append(
        at,
        &Event::Outcome {
            op,
            status: Status::Refused,
            message: refusal.message().into(),
            code: refusal.code().into(),
            rows: 0,
            bytes: 0,
            micros: 0,
            masked: std::collections::BTreeMap::new(),
        },
    )?;
    shared.commit()
}
