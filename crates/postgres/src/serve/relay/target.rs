//! What the target sends, and what has to be looked up before a message of either side goes on.

use std::sync::Arc;
use std::task::{Context, Poll};

use portcullis_core::protocol::ServeError;

use super::end::End;
use super::{Lookup, Relay};
use crate::relations::Wanted;
use crate::serve::lookup;
use crate::serve::pump::FULL;
use crate::session::TargetStep;
use crate::wire::write::Report;

impl<'p> Relay<'p> {
    pub(super) fn hear_target(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.to_client.waiting() >= FULL || self.looking.is_some() {
            return Ok(false);
        }
        let moved = match self.from_target.poll_fill(cx, &mut self.target) {
            Poll::Ready(Ok(more)) => more,
            Poll::Ready(Err(why)) => return Err(End::Broken(ServeError::TargetIo(why))),
            // What has come before was put off while something was looked up.
            Poll::Pending if self.put_off => true,
            Poll::Pending => return Ok(false),
        };
        self.put_off = false;
        loop {
            match self.conversation.target(self.from_target.bytes())? {
                TargetStep::Wait => return Ok(moved),
                TargetStep::Relay(count) => {
                    let run = self.from_target.bytes().get(..count).unwrap_or_default();
                    self.to_client
                        .relay(cx, &mut self.client, run)
                        .map_err(|why| End::Broken(ServeError::ClientIo(why)))?;
                    self.from_target.consume(count);
                }
                TargetStep::Replace(count, with) => {
                    self.to_client.push(&with);
                    self.from_target.consume(count);
                }
                TargetStep::Look(wanted) => {
                    self.looking = Some(self.look_up(wanted));
                    return Ok(true);
                }
            }
        }
    }

    pub(super) fn hear_lookup(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut heard = false;
        if let Some(lookup) = &mut self.lookup
            && let Poll::Ready(found) = lookup.as_mut().poll(cx)
        {
            self.lookup = None;
            // What a name means cannot be found out, so nothing is decided on it.
            let (answers, found) = found.map_err(|why| unknowable(&why))?;
            self.conversation.resolved(answers, &found);
            heard = true;
        }
        if let Some(looking) = &mut self.looking
            && let Poll::Ready(found) = looking.as_mut().poll(cx)
        {
            self.looking = None;
            self.put_off = true;
            // Where a value comes from cannot be found out, so it is not shown.
            let (answers, found) = found.map_err(|why| unknowable(&why))?;
            self.conversation.looked(answers, &found);
            heard = true;
        }
        Ok(heard)
    }

    pub(super) fn look_up(&self, wanted: Wanted) -> Lookup<'p> {
        let (target, database) = (self.session.target().clone(), self.database.clone());
        Box::pin(lookup::look_up_relations(self.postgres, target, database, Arc::clone(&self.catalogue), wanted))
    }
}

/// The end of a session whose statements cannot be judged.
fn unknowable(why: &ServeError) -> End {
    let report = Report {
        // system_error
        code: "58000",
        message: "the gate cannot look up what this statement names".into(),
        hint: Some("connect again; if it lasts, tell the gate's operator".into()),
        ..Report::default()
    };
    End::Told(report, format!("the catalogue lookup failed: {why}"))
}
