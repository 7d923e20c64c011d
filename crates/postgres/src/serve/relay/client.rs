//! What the client sends: decided as it arrives, held for humans, forwarded in order.

use std::task::{Context, Poll};

use bytes::BytesMut;
use pgwire::messages::terminate::Terminate;
use portcullis_core::protocol::ServeError;
use portcullis_core::refusal::Refusal;

use super::Relay;
use super::end::End;
use crate::serve::estimate::{Estimate, estimate};
use crate::serve::hold::Hold;
use crate::serve::pump::FULL;
use crate::session::{ClientStep, Deciding, Estimable, Fault, Forward, Under};
use crate::wire::write;

/// How much of a client's stream is read ahead while answers are awaited.
const READ_AHEAD: usize = 64 << 10;

/// The same while humans are asked: a client that goes away meanwhile is noticed only while its
/// stream is read.
const READ_WHILE_HELD: usize = 1 << 20;

/// A piece of the client's stream that is decided and goes to the target.
pub(super) struct Staged {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) forward: Forward,
    pub(super) under: Under,
}

impl<'p> Relay<'p> {
    pub(super) fn hear_client(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = false;
        if self.lookup.is_none() && self.hold.is_none() && !self.leaving && self.target.peek().waiting() < FULL {
            let ended = self.from_client.ended();
            moved = self.take_from_client()?;
            self.gone = ended && !moved && !self.holding;
        }
        let ahead = self.from_client.bytes().len();
        let blocked = self.holding || self.lookup.is_some() || self.target.peek().waiting() >= FULL;
        let full = (blocked && ahead >= READ_AHEAD) || (self.hold.is_some() && ahead >= READ_WHILE_HELD);
        if self.leaving || full {
            return Ok(moved);
        }
        match self.from_client.poll_fill(cx, &mut self.client) {
            Poll::Ready(Ok(more)) => Ok(moved | more | self.from_client.ended()),
            Poll::Ready(Err(why)) => Err(End::Broken(ServeError::ClientIo(why))),
            Poll::Pending => Ok(moved),
        }
    }

    /// A client that went without goodbye has left what it had begun: COPY data to come, a pipeline
    /// without its Sync. The target learns of its end as it would without a gate, and ends as well.
    pub(super) fn hang_up(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if !self.gone || self.hung_up {
            return Ok(());
        }
        match self.target.poll_shutdown(cx) {
            Poll::Ready(Err(why)) => Err(End::Broken(ServeError::TargetIo(why))),
            Poll::Ready(Ok(())) => {
                self.hung_up = true;
                Ok(())
            }
            Poll::Pending => Ok(()),
        }
    }

    /// Decides all that has arrived, then forwards it: the records of a whole pipeline are
    /// committed at once, before the first of it is sent.
    pub(super) fn take_from_client(&mut self) -> Result<bool, End> {
        let deciding = Deciding { session: &self.session, analyzer: &self.postgres.analyzer };
        let mut at = 0;
        self.holding = false;
        let stopped = loop {
            let rest = self.from_client.bytes().get(at..).unwrap_or_default();
            match self.conversation.client(rest, &deciding) {
                Ok(ClientStep::Wait) => break Ok(()),
                Ok(ClientStep::Hold) => {
                    self.holding = true;
                    break Ok(());
                }
                Ok(ClientStep::Resolve(wanted)) => {
                    self.lookup = Some(self.look_up(wanted));
                    break Ok(());
                }
                Ok(ClientStep::Ask(pending, estimable)) => {
                    let estimate = estimable.and_then(|statement| self.estimate(statement));
                    self.hold = Some(Hold::begin(*pending, estimate, &mut self.notices));
                    break Ok(());
                }
                Ok(ClientStep::Goodbye) => {
                    self.leaving = true;
                    break Ok(());
                }
                Ok(ClientStep::Done { consumed, forward, under }) => {
                    let to = at.saturating_add(consumed);
                    self.staged.push(Staged { from: at, to, forward, under });
                    at = to;
                }
                Err(fault) => break Err(fault),
            }
        };
        self.forward_staged()?;
        self.from_client.consume(at);
        if self.leaving {
            let mut goodbye = BytesMut::new();
            write::message(&mut goodbye, &Terminate::new());
            self.target.lend(&self.connection).map_err(Fault::Ended)?.push(&goodbye);
        }
        stopped?;
        Ok(at > 0 || self.lookup.is_some() || self.hold.is_some() || self.leaving)
    }

    pub(super) fn forward_staged(&mut self) -> Result<(), End> {
        for Staged { from, to, forward, under } in self.staged.drain(..) {
            let permit = match under {
                Under::Connection => &self.connection,
                // no permit, no forward
                Under::Entry(entry) => self.conversation.permit(entry).ok_or(Fault::Ended(Refusal::NotRecorded))?,
            };
            let target = self.target.lend(permit).map_err(Fault::Ended)?;
            let bytes = self.from_client.bytes().get(from..to).unwrap_or_default();
            match forward {
                Forward::AsIs => target.push(bytes),
                Forward::Then(more) => {
                    target.push(bytes);
                    target.push(&more);
                }
                Forward::Around(before, behind) => {
                    target.push(&before);
                    target.push(bytes);
                    target.push(&behind);
                }
                Forward::Instead(other) => target.push(&other),
                Forward::Nothing => {}
            }
        }
        Ok(())
    }

    /// Hears the humans' answer, and notices where nobody waits for it any more.
    pub(super) fn hear_humans(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if !self.notices.is_empty() && !self.conversation.is_inside_message() {
            self.to_client.push(&self.notices.split());
        }
        let Some(hold) = &mut self.hold else { return Ok(false) };
        if self.from_client.ended() {
            return Err(End::Quietly("the client closed the connection while it waited for an approval"));
        }
        if !self.conversation.holds() {
            self.hold = None;
            return Ok(true);
        }
        let Poll::Ready(verdict) = hold.poll(cx) else { return Ok(false) };
        self.hold = None;
        self.conversation.heard(verdict)?;
        Ok(true)
    }

    /// Gives up what waits for humans; says whether anything did.
    pub(super) fn withdraw_hold(&mut self) -> bool {
        self.conversation.withdraw();
        self.hold.take().is_some()
    }

    /// Asks for an estimate of what a statement would write. Planning can run code of the client's own,
    /// so it is done with no other rights than the client's session has.
    pub(super) fn estimate(&self, statement: Estimable) -> Option<Estimate<'p>> {
        let same = self.conversation.account() == self.postgres.config.login.user;
        let (lookups, database) = (&self.postgres.lookups, self.database.clone());
        same.then(|| Box::pin(estimate(lookups, database, statement)) as Estimate<'p>)
    }
}
