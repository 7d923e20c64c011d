//! What the target sends: each message must answer what is expected, and is relayed, or replaced
//! where it answers a stand-in. Unknown types end the session, never pass.

use std::sync::Arc;

use bytes::BytesMut;
use portcullis_sql::{Analysis, SessionChange};

use super::expected::Kind;
use super::slots::Slots;
use super::{Conversation, Copy, Expected, Fault, Portal, Prepared};
use crate::relations::Wanted;
use crate::wire::body::Body;
use crate::wire::error;
use crate::wire::frame::{HEADER, Header, MAX_STREAMED, MAX_WHOLE, peek};

/// What becomes of the bytes at the front of the target's buffer.
#[derive(Debug)]
pub(crate) enum TargetStep {
    /// More bytes are needed.
    Wait,
    /// This many bytes go to the client as they are.
    Relay(usize),
    /// This many bytes are replaced.
    Replace(usize, BytesMut),
    /// These have to be looked up before it can be said how the client may see what comes.
    Look(Wanted),
}

/// Length limits of what a target may send.
const fn limit(tag: u8) -> usize {
    match tag {
        b'D' | b'd' => MAX_STREAMED,
        b'E' | b'N' | b'T' | b'A' | b't' => MAX_WHOLE,
        b'C' | b'S' | b'G' | b'H' => 1 << 16,
        // The rest is empty, nearly so, or refused.
        _ => 1 << 10,
    }
}

pub(super) fn misbehaved(what: impl Into<String>) -> Fault {
    Fault::Target(what.into())
}

impl Conversation {
    /// Deals with the front of what the target has sent.
    pub(crate) fn target(&mut self, input: &[u8]) -> Result<TargetStep, Fault> {
        let mut relayed = 0;
        loop {
            let rest = input.get(relayed..).unwrap_or_default();
            match self.one(rest)? {
                TargetStep::Relay(0) | TargetStep::Wait if relayed == 0 => return Ok(TargetStep::Wait),
                TargetStep::Look(wanted) if relayed == 0 => return Ok(TargetStep::Look(wanted)),
                TargetStep::Relay(0) | TargetStep::Wait | TargetStep::Look(_) => {
                    return Ok(TargetStep::Relay(relayed));
                }
                TargetStep::Relay(more) => relayed = relayed.saturating_add(more),
                TargetStep::Replace(consumed, with) if relayed == 0 => return Ok(TargetStep::Replace(consumed, with)),
                // `one` has taken the message out of the queue, so the run before it goes along.
                TargetStep::Replace(consumed, with) => {
                    let mut run = BytesMut::from(input.get(..relayed).unwrap_or_default());
                    run.extend_from_slice(&with);
                    return Ok(TargetStep::Replace(relayed.saturating_add(consumed), run));
                }
            }
        }
    }

    fn one(&mut self, input: &[u8]) -> Result<TargetStep, Fault> {
        if self.target_rest > 0 {
            let passed = self.target_rest.min(input.len());
            self.target_rest = self.target_rest.saturating_sub(passed);
            return Ok(TargetStep::Relay(passed));
        }
        let Some(header) = peek(input, limit).map_err(|why| misbehaved(why.to_string()))? else {
            return Ok(TargetStep::Wait);
        };
        if matches!(header.tag, b'D' | b'd') {
            return self.data(header, input);
        }
        let Some(frame) = input.get(..header.total) else { return Ok(TargetStep::Wait) };
        let body = frame.get(HEADER..).unwrap_or_default();
        match header.tag {
            b'E' => return self.error(body, header),
            b'T' => {
                if let Some(wanted) = self.columns(body)? {
                    return Ok(TargetStep::Look(wanted));
                }
            }
            b'H' => {
                if let Some(wanted) = self.copying(body)? {
                    return Ok(TargetStep::Look(wanted));
                }
            }
            _ => {}
        }
        let silent = matches!(header.tag, b'T' | b'n') && self.expected.front().is_some_and(|front| front.silent);
        self.message(header.tag, body)?;
        if silent {
            return Ok(TargetStep::Replace(header.total, BytesMut::new()));
        }
        Ok(self.shown(header, body)?.unwrap_or(TargetStep::Relay(header.total)))
    }

    /// Rows and COPY data that their client may see as they are pass in pieces, whatever their size.
    fn data(&mut self, header: Header, input: &[u8]) -> Result<TargetStep, Fault> {
        let Some(Expected { kind: Kind::Query(_) | Kind::Execute(_), stand_in: None, .. }) = self.expected.front()
        else {
            return Err(misbehaved("it sent rows that nobody asked for"));
        };
        if header.tag == b'd' && self.copy != Copy::Out {
            return Err(misbehaved("it sent COPY data that nobody asked for"));
        }
        let masked =
            if header.tag == b'D' { self.masked_rows(header, input)? } else { self.masked_copy(header, input)? };
        if let Some(step) = masked {
            return Ok(step);
        }
        if let Some(front) = self.expected.front_mut() {
            if header.tag == b'D' && front.records_rows() && !front.record_row(header, input)? {
                return Ok(TargetStep::Wait);
            }
            front.count(1, header.total);
        }
        let passed = header.total.min(input.len());
        self.target_rest = header.total.saturating_sub(passed);
        Ok(TargetStep::Relay(passed))
    }

    fn message(&mut self, tag: u8, body: &[u8]) -> Result<(), Fault> {
        match tag {
            b'N' | b'A' => Ok(()),
            b'S' => self.parameter(body),
            b'Z' => self.ready(body),
            b'1' => self.parsed(),
            b'2' => self.bound(),
            b'3' => self.closed(),
            b't' | b'T' | b'n' => self.described(tag),
            b'C' => self.complete(body),
            b'I' => self.empty(),
            b's' => self.suspended(),
            b'G' => self.copy_in(),
            b'H' => self.begin_copy(Copy::Out),
            b'c' if self.copy == Copy::Out => {
                self.copy = Copy::No;
                self.copied()
            }
            tag => Err(misbehaved(format!(
                "it sent a message of type `{}` that is not relayed",
                char::from(tag).escape_default()
            ))),
        }
    }

    fn parameter(&mut self, body: &[u8]) -> Result<(), Fault> {
        let mut body = Body::new(b'S', body);
        let read = body.string().and_then(|name| body.string().map(|value| (name, value)));
        let (name, value) = read.map_err(|why| misbehaved(why.to_string()))?;
        self.reported(&String::from_utf8_lossy(name), &String::from_utf8_lossy(value))
    }

    fn ready(&mut self, body: &[u8]) -> Result<(), Fault> {
        let [status @ (b'I' | b'T' | b'E')] = *body else { return Err(misbehaved("its transaction status is none")) };
        match self.expected.front() {
            Some(Expected { kind: Kind::Query(_) | Kind::Sync, .. }) => {}
            _ => return Err(misbehaved("it was ready when nobody had asked")),
        }
        self.status = status;
        self.copy = Copy::No;
        self.resolver.ready(status == b'I', self.failed);
        self.failed = false;
        if status == b'I' {
            // Portals end with their transaction.
            self.portals.clear();
        }
        self.pop()
    }

    fn parsed(&mut self) -> Result<(), Fault> {
        match self.expected.front() {
            Some(Expected { kind: Kind::Parse(name, prepared), stand_in: None, .. }) => {
                self.statements.confirm(name, self.answered, Arc::clone(prepared));
                self.resolver.unnamed(b'S', name);
                self.pop()
            }
            _ => Err(misbehaved("it parsed what nobody had asked for")),
        }
    }

    fn bound(&mut self) -> Result<(), Fault> {
        match self.expected.front() {
            Some(Expected { kind: Kind::Bind(name, portal), .. }) => {
                self.portals.confirm(name, self.answered, portal.clone());
                self.resolver.unnamed(b'P', name);
                self.pop()
            }
            _ => Err(misbehaved("it bound what nobody had asked for")),
        }
    }

    fn closed(&mut self) -> Result<(), Fault> {
        match self.expected.front() {
            Some(Expected { kind: Kind::Close(which, name), .. }) => {
                if *which == b'S' {
                    self.statements.remove(name);
                } else {
                    self.portals.remove(name);
                }
                self.resolver.unnamed(*which, name);
                self.pop()
            }
            _ => Err(misbehaved("it closed what nobody had asked for")),
        }
    }

    fn described(&mut self, tag: u8) -> Result<(), Fault> {
        match self.expected.front() {
            // The parameters of a statement are followed by its row description.
            Some(Expected { kind: Kind::Describe, stand_in: None, .. }) => {
                if tag == b't' {
                    Ok(())
                } else {
                    self.pop()
                }
            }
            Some(Expected { kind: Kind::Query(_), stand_in: None, .. }) if tag == b'T' => Ok(()),
            _ => Err(misbehaved("it described what nobody had asked for")),
        }
    }

    fn complete(&mut self, body: &[u8]) -> Result<(), Fault> {
        let Some(front) = self.expected.front_mut() else {
            return Err(misbehaved("it completed what nobody had asked for"));
        };
        front.tagged(body.strip_suffix(b"\0").unwrap_or(body));
        let statement = front.done;
        front.done = statement.saturating_add(1);
        // The next result has other columns.
        front.result.plan = None;
        front.result.recorded.begun = false;
        let ends_entry = match &front.kind {
            Kind::Query(prepared) | Kind::Execute(Some(prepared)) if front.stand_in.is_none() => {
                self.resolver.done(&prepared.analysis, statement);
                forget(&mut self.statements, &mut self.portals, &prepared.analysis, statement);
                matches!(front.kind, Kind::Execute(_))
            }
            Kind::Execute(None) if front.stand_in.is_none() => true,
            _ => return Err(misbehaved("it completed what nobody had asked for")),
        };
        self.copy = Copy::No;
        if ends_entry { self.pop() } else { Ok(()) }
    }

    fn empty(&mut self) -> Result<(), Fault> {
        match self.expected.front() {
            Some(Expected { kind: Kind::Execute(_), stand_in: None, .. }) => self.pop(),
            Some(Expected { kind: Kind::Query(_), stand_in: None, .. }) => Ok(()),
            _ => Err(misbehaved("it found empty what nobody had asked for")),
        }
    }

    fn suspended(&mut self) -> Result<(), Fault> {
        match self.expected.front_mut() {
            Some(front @ Expected { kind: Kind::Execute(_), stand_in: None, .. }) => {
                front.tagged(b"suspended at the row limit");
                self.pop()
            }
            _ => Err(misbehaved("it suspended what nobody had asked for")),
        }
    }

    fn begin_copy(&mut self, direction: Copy) -> Result<(), Fault> {
        match self.expected.front() {
            Some(Expected { kind: Kind::Query(_) | Kind::Execute(_), stand_in: None, .. }) if self.copy == Copy::No => {
                self.copy = direction;
                Ok(())
            }
            _ => Err(misbehaved("it began a COPY that nobody had asked for")),
        }
    }

    /// The target reads COPY data from here on, and ignores what Sync and Flush it finds before
    /// the data's end. Anything else that is on its way already would be read as a broken COPY.
    fn copy_in(&mut self) -> Result<(), Fault> {
        self.begin_copy(Copy::In)?;
        // Nothing of the client passes but COPY data until this entry is answered.
        self.barrier = Some(self.answered);
        if self.expected.iter().skip(1).any(|later| !matches!(later.kind, Kind::Sync)) {
            return Err(misbehaved("a COPY began while other messages were on their way"));
        }
        self.expected.truncate(1);
        Ok(())
    }

    fn error(&mut self, body: &[u8], header: Header) -> Result<TargetStep, Fault> {
        let shown = self.shown_text(b'E', body)?;
        let said = shown.as_ref().and_then(|shown| shown.get(HEADER..)).unwrap_or(body);
        let fields = error::fields(b'E', said).map_err(|why| misbehaved(why.to_string()))?;
        self.fatal |= fields.is_fatal();
        let Some(front) = self.expected.front_mut() else {
            return if self.fatal {
                Ok(replaced(header, shown))
            } else {
                Err(misbehaved("it reported an error that answers nothing"))
            };
        };
        front.failed(fields.code, fields.message);
        self.failed = true;
        self.copy = Copy::No;
        // Only the first error of a stand-in is the one that it was sent for.
        let ours = if self.fatal { None } else { front.stand_in.take() };
        if !matches!(front.kind, Kind::Query(_) | Kind::Sync) {
            self.skip_to_sync()?;
        }
        Ok(replaced(header, ours.or(shown)))
    }

    /// After an error in the extended protocol the target discards everything up to Sync.
    fn skip_to_sync(&mut self) -> Result<(), Fault> {
        let mut first = true;
        while let Some(front) = self.expected.front() {
            if matches!(front.kind, Kind::Sync) && !first {
                return Ok(());
            }
            match &front.kind {
                Kind::Parse(name, _) => self.statements.abandon(name, self.answered),
                Kind::Bind(name, _) => self.portals.abandon(name, self.answered),
                Kind::Query(_) | Kind::Describe | Kind::Execute(_) | Kind::Close(..) | Kind::Sync => {}
            }
            if first {
                self.pop()?;
            } else {
                self.drop_unanswered();
            }
            first = false;
        }
        // Sync has not been forwarded yet.
        self.skipping = true;
        Ok(())
    }

    /// The target never looked at this entry: its permit records an abort.
    fn drop_unanswered(&mut self) {
        self.expected.pop_front();
        self.answered = self.answered.saturating_add(1);
    }

    fn pop(&mut self) -> Result<(), Fault> {
        let Some(front) = self.expected.pop_front() else { return Ok(()) };
        self.answered = self.answered.saturating_add(1);
        front.finish().map_err(Fault::Ended)
    }
}

/// A message, or what the client gets in its place.
fn replaced(header: Header, with: Option<BytesMut>) -> TargetStep {
    with.map_or(TargetStep::Relay(header.total), |with| TargetStep::Replace(header.total, with))
}

/// Follows SQL that makes the target forget prepared statements and cursors, which share their names
/// with Parse and Bind.
fn forget(statements: &mut Slots<Arc<Prepared>>, portals: &mut Slots<Portal>, analysis: &Analysis, statement: usize) {
    match analysis.statements.get(statement).and_then(|done| done.change.as_ref()) {
        Some(SessionChange::DiscardAll | SessionChange::Deallocate { name: None }) => statements.clear(),
        Some(SessionChange::Deallocate { name: Some(name) }) => statements.remove(name.as_bytes()),
        Some(SessionChange::Close { name: None }) => portals.clear(),
        Some(SessionChange::Close { name: Some(name) } | SessionChange::Declare { name, .. }) => {
            portals.remove(name.as_bytes());
        }
        _ => {}
    }
}
