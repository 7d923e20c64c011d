//! What the client sends: each message is decided, then forwarded, replaced by a stand-in, or
//! refused. Unknown types are refused, never relayed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use portcullis_core::gate::Pending;
use portcullis_core::permit::Permit;

use super::decide::{Decided, Deciding, Message};
use super::expected::Kind;
use super::held::Estimable;
use super::prepared::Values;
use super::{Conversation, Copy, Expected, Fault, MAX_EXPECTED, Portal, Prepared, significant};
use crate::classify::{self, Names, Stored};
use crate::relations::Wanted;
use crate::wire::body::Body;
use crate::wire::frame::{HEADER, Header, MAX_STREAMED, MAX_WHOLE, peek};
use crate::wire::write::{self, Report, Severity};
use crate::wire::{WireError, bind};

/// What becomes of the bytes at the front of the client's buffer.
#[derive(Debug)]
pub(crate) enum ClientStep {
    /// More bytes are needed.
    Wait,
    /// The target's answers have to come first.
    Hold,
    /// This has to be looked up before the message can be decided.
    Resolve(Wanted),
    /// Humans have to answer before the message can go on. What it would write may be estimated.
    Ask(Box<Pending>, Option<Estimable>),
    /// This many bytes are dealt with.
    Done {
        /// How many.
        consumed: usize,
        /// What is forwarded for them.
        forward: Forward,
        /// Whose permit it goes under.
        under: Under,
    },
    /// The client says goodbye.
    Goodbye,
}

/// What is forwarded.
#[derive(Debug)]
pub(crate) enum Forward {
    /// The consumed bytes.
    AsIs,
    /// The consumed bytes, then these.
    Then(BytesMut),
    /// These bytes, then those consumed, then those.
    Around(BytesMut, BytesMut),
    /// These bytes in their place.
    Instead(BytesMut),
    /// Nothing.
    Nothing,
}

/// Under whose permit bytes go to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Under {
    /// The connection's own: messages that are no operation.
    Connection,
    /// That of the operation with this entry number.
    Entry(u64),
}

const fn limit(tag: u8) -> usize {
    match tag {
        b'B' | b'd' => MAX_STREAMED,
        b'Q' | b'P' => MAX_WHOLE,
        b'f' | b'D' | b'E' | b'C' => 1 << 16,
        // Everything else is empty or refused.
        _ => 1 << 10,
    }
}

fn malformed(why: &WireError) -> Fault {
    Fault::Client(Report { code: "08P01", message: why.to_string(), ..Report::default() })
}

fn violation(message: impl Into<String>) -> Fault {
    Fault::Client(Report { code: "08P01", message: message.into(), ..Report::default() })
}

impl Conversation {
    /// Deals with the front of what the client has sent.
    pub(crate) fn client(&mut self, input: &[u8], deciding: &Deciding<'_>) -> Result<ClientStep, Fault> {
        if self.client_rest > 0 {
            return Ok(self.rest_of_message(input));
        }
        let Some(header) = peek(input, limit).map_err(|why| malformed(&why))? else { return Ok(ClientStep::Wait) };
        if matches!(header.tag, b'd' | b'c' | b'f') {
            return self.copy_message(input, header);
        }
        if self.barrier.is_some_and(|entry| entry >= self.answered) || self.expected.len() >= MAX_EXPECTED {
            return self.waiting(header, input);
        }
        self.barrier = None;
        if self.skipping && !matches!(header.tag, b'S' | b'X') {
            self.held = None;
            return Ok(self.skip(input, header));
        }
        if header.tag == b'B' {
            return self.bind(input, header);
        }
        let Some(frame) = input.get(..header.total) else { return Ok(ClientStep::Wait) };
        let body = Body::new(header.tag, frame.get(HEADER..).unwrap_or_default());
        match header.tag {
            b'Q' => self.query(body, header, deciding),
            b'P' => self.parse(body, header, deciding),
            b'E' => self.execute(body, header, deciding),
            b'D' => self.describe(body, header),
            b'C' => self.close(body, header),
            b'S' => {
                self.skipping = false;
                Ok(self.queue(header, Expected::new(Kind::Sync, None)))
            }
            b'H' => Ok(housekeeping(header.total, Forward::AsIs)),
            b'X' => Ok(ClientStep::Goodbye),
            b'F' => Err(violation("function calls by message are not supported by this gate; use SELECT")),
            tag => {
                Err(violation(format!("a message of type `{}` is not expected here", char::from(tag).escape_default())))
            }
        }
    }

    /// While the target's answer is awaited, a client in COPY may still say Sync and Flush, which
    /// the target ignores there.
    fn waiting(&self, header: Header, input: &[u8]) -> Result<ClientStep, Fault> {
        if self.copy != Copy::In {
            return Ok(ClientStep::Hold);
        }
        match header.tag {
            b'S' | b'H' if input.len() >= header.total => Ok(housekeeping(header.total, Forward::Nothing)),
            b'S' | b'H' => Ok(ClientStep::Wait),
            b'X' => Ok(ClientStep::Goodbye),
            _ => Err(violation("only COPY data is expected while COPY runs")),
        }
    }

    fn rest_of_message(&mut self, input: &[u8]) -> ClientStep {
        let consumed = self.client_rest.min(input.len());
        if consumed == 0 {
            return ClientStep::Wait;
        }
        self.client_rest = self.client_rest.saturating_sub(consumed);
        if self.drop_rest { housekeeping(consumed, Forward::Nothing) } else { housekeeping(consumed, Forward::AsIs) }
    }

    /// Passes or drops a message of which only the front may have arrived.
    fn streamed(&mut self, input: &[u8], header: Header, forward: Forward, under: Under) -> ClientStep {
        let consumed = header.total.min(input.len());
        self.client_rest = header.total.saturating_sub(consumed);
        self.drop_rest = !matches!(forward, Forward::AsIs);
        ClientStep::Done { consumed, forward, under }
    }

    fn skip(&mut self, input: &[u8], header: Header) -> ClientStep {
        self.streamed(input, header, Forward::Nothing, Under::Connection)
    }

    /// COPY data outside COPY is what follows a COPY that failed: it is drained.
    fn copy_message(&mut self, input: &[u8], header: Header) -> Result<ClientStep, Fault> {
        if self.copy != Copy::In {
            let early = self.barrier.is_some_and(|entry| entry >= self.answered) && !self.skipping;
            return Ok(if early { ClientStep::Hold } else { self.skip(input, header) });
        }
        if header.tag == b'd' {
            return Ok(self.streamed(input, header, Forward::AsIs, Under::Entry(self.answered)));
        }
        if input.len() < header.total {
            return Ok(ClientStep::Wait);
        }
        self.copy = Copy::No;
        // In the extended protocol the target answers at the Sync that follows, so that must pass.
        if self.expected.front().is_some_and(|front| matches!(front.kind, Kind::Execute(_))) {
            self.barrier = None;
        }
        Ok(ClientStep::Done { consumed: header.total, forward: Forward::AsIs, under: Under::Entry(self.answered) })
    }

    fn query(&mut self, mut body: Body<'_>, header: Header, deciding: &Deciding<'_>) -> Result<ClientStep, Fault> {
        let text = body.string().and_then(|text| body.end().map(|()| text)).map_err(|why| malformed(&why))?;
        let analysis = Self::analyse(deciding.analyzer, self.settings, text);
        let prepared = Arc::new(Prepared::passing(Bytes::new(), analysis));
        let step = match self.decide(&Message::of("Query", text, &prepared), deciding)? {
            Decided::Resolve(wanted) => return Ok(ClientStep::Resolve(wanted)),
            Decided::Ask(pending, estimable) => return Ok(ClientStep::Ask(pending, estimable)),
            Decided::Permit(permit) => {
                self.resolver.making(&prepared.analysis);
                self.view = permit.view().cloned();
                let prepared = if self.view.is_some() {
                    // Where values come from is read from the text.
                    let text = Bytes::copy_from_slice(text);
                    Arc::new(Prepared::passing(text, Arc::clone(&prepared.analysis)))
                } else {
                    prepared
                };
                self.queue(header, Expected::new(Kind::Query(prepared), Some(permit)))
            }
            Decided::Refused(error) => {
                let mut instead = BytesMut::new();
                write::stand_in_query(&mut instead);
                self.queue_instead(header, Expected::refused(Kind::Query(prepared), error), instead)
            }
        };
        // The target reads nothing more before it has answered a simple query, so nor do we.
        self.barrier = Some(self.next_entry().saturating_sub(1));
        Ok(step)
    }

    fn parse(&mut self, mut body: Body<'_>, header: Header, deciding: &Deciding<'_>) -> Result<ClientStep, Fault> {
        let (name, text, types) = parse_body(&mut body).map_err(|why| malformed(&why))?;
        let name = significant(name);
        let analysis = Self::analyse(deciding.analyzer, self.settings, text);
        let Some(kept) = self.texts.keep(text.len().saturating_add(analysis.weight)) else {
            return Err(too_many("bytes of prepared statements"));
        };
        let prepared = Arc::new(Prepared::new(text, analysis, types, kept));
        match self.prepare(&Message::of("Parse", text, &prepared), deciding)? {
            Decided::Resolve(wanted) => Ok(ClientStep::Resolve(wanted)),
            Decided::Ask(pending, estimable) => Ok(ClientStep::Ask(pending, estimable)),
            Decided::Refused(error) => {
                Ok(self.stand_in(header, Expected::refused(Kind::Parse(name.into(), prepared), error)))
            }
            Decided::Permit(permit) => {
                if !self.statements.propose(name, self.next_entry(), Arc::clone(&prepared)) {
                    return Err(too_many("prepared statements"));
                }
                Ok(self.queue(header, Expected::new(Kind::Parse(name.into(), prepared), Some(permit))))
            }
        }
    }

    fn bind(&mut self, input: &[u8], header: Header) -> Result<ClientStep, Fault> {
        let arrived = input.get(HEADER..header.total.min(input.len())).unwrap_or_default();
        let head = match bind::head(arrived) {
            Ok(head) => head,
            // The head may still be on its way.
            Err(_) if arrived.len() < header.body().min(bind::MAX_HEAD) => return Ok(ClientStep::Wait),
            Err(why) => return Err(malformed(&why)),
        };
        let (portal_name, statement) = (significant(head.portal), significant(head.statement));
        if self.is_contested(self.statements.contested(statement)) {
            return Ok(ClientStep::Hold);
        }
        let Some(prepared) = self.bindable(statement) else {
            let (error, instead) = unknown_statement(head.statement);
            self.expected.push_back(Expected::refused(Kind::Describe, error));
            return Ok(self.streamed(input, header, Forward::Instead(instead), Under::Connection));
        };
        let parameters = head.parameters;
        if Values::are_read(&prepared, parameters, header.body()) && arrived.len() < header.body() {
            return Ok(ClientStep::Wait);
        }
        let values = Values::of(&prepared, parameters, arrived, header.body(), &self.texts);
        let Some(values) = values.map_err(|why| malformed(&why))? else {
            return Err(too_many("bytes of bound values"));
        };
        // Formats of a result whose Bind has not arrived whole are not known to the record.
        let formats = bind::result_formats(arrived).unwrap_or_default();
        let portal = Portal::new(prepared, parameters, values, formats);
        if !self.portals.propose(portal_name, self.next_entry(), portal.clone()) {
            return Err(too_many("portals"));
        }
        self.expected.push_back(Expected::new(Kind::Bind(portal_name.into(), portal), None));
        Ok(self.streamed(input, header, Forward::AsIs, Under::Connection))
    }

    /// Whether a name may come to stand for another thing than the last that it was given to: if the
    /// entry that gave it fails, what is behind the next Sync finds what was there before.
    fn is_contested(&self, entry: Option<u64>) -> bool {
        let behind = |entry: u64| entry.checked_sub(self.answered).and_then(|place| usize::try_from(place).ok());
        let mut later = match entry.and_then(behind) {
            Some(place) => self.expected.iter().skip(place.saturating_add(1)),
            None => return false,
        };
        later.any(|later| matches!(later.kind, Kind::Sync))
    }

    /// What a Bind may name: what Parse made, or what SQL's PREPARE made, which share their names.
    fn bindable(&self, name: &[u8]) -> Option<Arc<Prepared>> {
        if let Some(prepared) = self.statements.get(name) {
            return Some(Arc::clone(prepared));
        }
        let analysis = self.resolver.stored(Stored::Statement(std::str::from_utf8(name).ok()?))?;
        let text = Bytes::from([b"EXECUTE ", name].concat());
        Some(Arc::new(Prepared::passing(text, analysis)))
    }

    fn execute(&mut self, mut body: Body<'_>, header: Header, deciding: &Deciding<'_>) -> Result<ClientStep, Fault> {
        let read = body.string().and_then(|name| body.int().and_then(|_| body.end()).map(|()| name));
        let name = significant(read.map_err(|why| malformed(&why))?);
        if self.is_contested(self.portals.contested(name)) {
            return Ok(ClientStep::Hold);
        }
        let Some(portal) = self.portals.get(name).cloned() else {
            return self.execute_cursor(name, header, deciding);
        };
        let message = Message::executing(&portal);
        let prepared = Arc::clone(&portal.prepared);
        match self.decide(&message, deciding)? {
            Decided::Resolve(wanted) => Ok(ClientStep::Resolve(wanted)),
            Decided::Ask(pending, estimable) => Ok(ClientStep::Ask(pending, estimable)),
            Decided::Refused(error) => {
                Ok(self.stand_in(header, Expected::refused(Kind::Execute(Some(prepared)), error)))
            }
            Decided::Permit(permit) => {
                self.resolver.making(&prepared.analysis);
                let waits = classify::changes_meaning(&prepared.analysis);
                let mut step = self.queue_execute(header, name, Some(&portal), permit);
                if waits && let ClientStep::Done { forward, .. } = &mut step {
                    self.barrier = Some(self.next_entry().saturating_sub(1));
                    // Without it the target would keep its answer until Sync, which waits for it.
                    let mut flush = BytesMut::new();
                    write::flush(&mut flush);
                    *forward = match std::mem::replace(forward, Forward::AsIs) {
                        Forward::Around(before, _) => Forward::Around(before, flush),
                        _ => Forward::Then(flush),
                    };
                }
                Ok(step)
            }
        }
    }

    /// A portal that no Bind made is an SQL cursor: it is decided as what it was declared to do,
    /// else as the FETCH that it amounts to.
    fn execute_cursor(&mut self, name: &[u8], header: Header, deciding: &Deciding<'_>) -> Result<ClientStep, Fault> {
        let text = [b"FETCH ALL FROM \"".as_slice(), &doubled(name), b"\""].concat();
        let declared = std::str::from_utf8(name).ok().and_then(|name| self.resolver.stored(Stored::Cursor(name)));
        let analysis = declared.unwrap_or_else(|| Self::analyse(deciding.analyzer, self.settings, &text));
        let prepared = Prepared::passing(text.into(), analysis);
        match self.decide(&Message::of("Execute", &prepared.text, &prepared), deciding)? {
            Decided::Resolve(wanted) => Ok(ClientStep::Resolve(wanted)),
            Decided::Ask(pending, estimable) => Ok(ClientStep::Ask(pending, estimable)),
            Decided::Refused(error) => Ok(self.stand_in(header, Expected::refused(Kind::Execute(None), error))),
            Decided::Permit(permit) => Ok(self.queue_execute(header, name, None, permit)),
        }
    }

    /// Queues an Execute. Where something is hidden from the client, the columns have to be known: what
    /// the client has not asked for itself, the gate asks.
    fn queue_execute(&mut self, header: Header, portal: &[u8], made: Option<&Portal>, permit: Permit) -> ClientStep {
        self.view = permit.view().cloned();
        let prepared = made.map(|made| Arc::clone(&made.prepared));
        let description = made.map(|made| made.description.clone()).unwrap_or_default();
        let mut expected = Expected::new(Kind::Execute(prepared), Some(permit)).described_by(&description);
        expected.result.recorded.of_statement =
            made.map(|made| (made.prepared.description.clone(), made.formats.clone()));
        if self.view.is_none() || description.get().is_some() {
            return self.queue(header, expected);
        }
        let mut asked = BytesMut::new();
        write::describe_portal(&mut asked, portal);
        let mut ours = Expected::new(Kind::Describe, None).described_by(&description);
        ours.silent = true;
        self.expected.push_back(ours);
        match self.queue(header, expected) {
            ClientStep::Done { consumed, under, .. } => {
                ClientStep::Done { consumed, forward: Forward::Around(asked, BytesMut::new()), under }
            }
            other => other,
        }
    }

    fn describe(&mut self, mut body: Body<'_>, header: Header) -> Result<ClientStep, Fault> {
        let (which, name) = named(&mut body)?;
        let expected = Expected::new(Kind::Describe, None);
        let name = significant(name);
        let description = match which {
            b'P' => self.portals.get(name).map(|portal| &portal.description),
            _ => self.statements.get(name).map(|prepared| &prepared.description),
        };
        let expected = match description {
            Some(description) => expected.described_by(description),
            None => expected,
        };
        Ok(self.queue(header, expected))
    }

    fn close(&mut self, mut body: Body<'_>, header: Header) -> Result<ClientStep, Fault> {
        let (which, name) = named(&mut body)?;
        Ok(self.queue(header, Expected::new(Kind::Close(which, significant(name).into()), None)))
    }

    fn queue(&mut self, header: Header, expected: Expected) -> ClientStep {
        let under = if expected.permit.is_some() { Under::Entry(self.next_entry()) } else { Under::Connection };
        self.expected.push_back(expected);
        ClientStep::Done { consumed: header.total, forward: Forward::AsIs, under }
    }

    fn queue_instead(&mut self, header: Header, expected: Expected, instead: BytesMut) -> ClientStep {
        self.expected.push_back(expected);
        housekeeping(header.total, Forward::Instead(instead))
    }

    fn stand_in(&mut self, header: Header, expected: Expected) -> ClientStep {
        let mut instead = BytesMut::new();
        write::stand_in_parse(&mut instead);
        self.queue_instead(header, expected, instead)
    }

    /// The permit of an entry that is not answered yet.
    pub(crate) fn permit(&self, entry: u64) -> Option<&Permit> {
        let place = usize::try_from(entry.checked_sub(self.answered)?).ok()?;
        self.expected.get(place)?.permit.as_ref()
    }
}

const fn housekeeping(consumed: usize, forward: Forward) -> ClientStep {
    ClientStep::Done { consumed, forward, under: Under::Connection }
}

/// A quoted identifier's inside.
fn doubled(name: &[u8]) -> Vec<u8> {
    name.iter().flat_map(|byte| std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 })).collect()
}

/// A Bind of a statement that the gate has not seen is not passed on, for what it would run was
/// not decided. The client gets PostgreSQL's own error.
fn unknown_statement(name: &[u8]) -> (BytesMut, BytesMut) {
    let message = match name {
        [] => String::from("unnamed prepared statement does not exist"),
        name => format!("prepared statement \"{}\" does not exist", String::from_utf8_lossy(name)),
    };
    let (mut error, mut instead) = (BytesMut::new(), BytesMut::new());
    // invalid_sql_statement_name
    write::report(&mut error, Severity::Error, &Report { code: "26000", message, ..Report::default() });
    write::stand_in_parse(&mut instead);
    (error, instead)
}

fn too_many(what: &str) -> Fault {
    // program_limit_exceeded
    Fault::Client(Report { code: "54000", message: format!("too many {what} in one session"), ..Report::default() })
}

fn named<'a>(body: &mut Body<'a>) -> Result<(u8, &'a [u8]), Fault> {
    let read = body.byte().and_then(|which| body.string().map(|name| (which, name)));
    match read.and_then(|found| body.end().map(|()| found)).map_err(|why| malformed(&why))? {
        found @ (b'S' | b'P', _) => Ok(found),
        _ => Err(violation("only statements and portals have names")),
    }
}

type ParseBody<'a> = (&'a [u8], &'a [u8], Box<[u32]>);

fn parse_body<'a>(body: &mut Body<'a>) -> Result<ParseBody<'a>, WireError> {
    let name = body.string()?;
    let text = body.string()?;
    let count = body.wide_count()?;
    let types = (0..count).map(|_| body.int().map(i32::cast_unsigned)).collect::<Result<_, _>>()?;
    body.end()?;
    Ok((name, text, types))
}
