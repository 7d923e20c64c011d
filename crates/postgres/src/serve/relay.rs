//! The relay: one task, two directions that never wait for each other, one writer a socket. It
//! carries bytes; what they mean is the conversation's business.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use pgwire::messages::terminate::Terminate;
use portcullis_core::BoxFuture;
use portcullis_core::gate::{Answer, Session};
use portcullis_core::guarded::Guarded;
use portcullis_core::masking::{Field, Tags};
use portcullis_core::operation::{Operation, Parameters};
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::protocol::ServeError;
use portcullis_core::recording::Status;
use portcullis_core::refusal::Refusal;
use portcullis_core::sessions::{EndReason, Ending};
use portcullis_core::stream::BoxStream;

use super::estimate::{Estimate, estimate};
use super::hold::Hold;
use super::lookup;
use super::pump::{FULL, Inbox, Outbox};
use super::target::TargetEnd;
use super::{Established, cancel};
use crate::Postgres;
use crate::cancel::{CancelKey, Told};
use crate::catalogue::Catalogue;
use crate::classify;
use crate::names::{Answers, SearchPath};
use crate::refusal;
use crate::relations::{Found, Wanted};
use crate::session::{ClientStep, Conversation, Deciding, Estimable, Fault, Forward, TargetStep, Under};
use crate::wire::write::{self, Report, Severity};

/// How much of a client's stream is read ahead while answers are awaited.
const READ_AHEAD: usize = 64 << 10;

/// The same while humans are asked: a client that goes away meanwhile is noticed only while its
/// stream is read.
const READ_WHILE_HELD: usize = 1 << 20;

/// How long a client that is told goodbye may take to hear it.
const FAREWELL: Duration = Duration::from_secs(5);

/// A session whose both sides are logged in.
pub(super) struct Relay<'p> {
    postgres: &'p Postgres,
    client: BoxStream,
    target: Guarded<TargetEnd>,
    session: Session,
    connection: Permit,
    conversation: Conversation,
    database: String,
    catalogue: Arc<Catalogue>,
    key: CancelKey,
    target_key: Option<(u32, bytes::Bytes)>,
    from_client: Inbox,
    from_target: Inbox,
    to_client: Outbox,
    staged: Vec<Staged>,
    /// What a message of the client's needs: nothing more of it is decided meanwhile.
    lookup: Option<Lookup<'p>>,
    /// What an answer of the target's needs: nothing more of it is shown meanwhile.
    looking: Option<Lookup<'p>>,
    put_off: bool,
    cancelling: Option<Cancelling>,
    /// What waits for humans, and what the client is told of it once nothing is in its way.
    hold: Option<Hold<'p>>,
    notices: BytesMut,
    ending: BoxFuture<'static, Ending>,
    draining: Option<EndReason>,
    leaving: bool,
    /// The client has gone, and all that it said is dealt with.
    gone: bool,
    /// The target has been told that nothing more comes.
    hung_up: bool,
    holding: bool,
}

type Lookup<'p> = BoxFuture<'p, Result<(Answers, Found), ServeError>>;

/// A cancel request on its way to the target.
struct Cancelling {
    sending: BoxFuture<'static, bool>,
    permit: Permit,
    _told: Told,
}

/// A piece of the client's stream that is decided and goes to the target.
struct Staged {
    from: usize,
    to: usize,
    forward: Forward,
    under: Under,
}

/// How a session ends.
enum End {
    /// As its client wished, or with a FATAL error of the target's that the client has seen.
    Quietly(&'static str),
    /// The client is told this first.
    Told(Report, String),
    /// There is nobody left to tell.
    Broken(ServeError),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Client(report) => {
                let why = report.message.clone();
                Self::Told(report, why)
            }
            Fault::Target(why) => Self::Told(
                // protocol_violation
                Report { code: "08P01", message: "the target broke the protocol".into(), ..Report::default() },
                format!("the target broke the protocol: {why}"),
            ),
            Fault::Ended(refusal) => {
                let report = refusal::report(&refusal);
                let why = report.message.clone();
                Self::Told(report, why)
            }
        }
    }
}

impl<'p> Relay<'p> {
    pub(super) fn new(postgres: &'p Postgres, client: BoxStream, established: Established) -> Result<Self, ServeError> {
        let Established { session, connection, login, key, database, account } = established;
        let catalogue = postgres.catalogues.of(&database);
        let greeting = login.greeting;
        let path = SearchPath::of(greeting.path);
        let mut conversation =
            Conversation::new(&database, account, path, Arc::clone(&catalogue), &session.target().masking);
        for (name, value) in &greeting.parameters {
            // What the target reports of the path has `$user` in it; the answer above has not.
            if name == "search_path" {
                conversation.began_with_path(value);
            } else {
                conversation
                    .reported(name, value)
                    .map_err(|_| ServeError::Target(format!("its `{name}` is `{value}`, which is not supported")))?;
            }
        }
        Ok(Self {
            postgres,
            client,
            target: login.target,
            ending: next_ending(&session, Ending::NotYet),
            session,
            connection,
            conversation,
            database,
            catalogue,
            key,
            target_key: greeting.key,
            from_client: Inbox::new(),
            from_target: Inbox::new(),
            to_client: Outbox::default(),
            staged: Vec::new(),
            lookup: None,
            looking: None,
            put_off: false,
            cancelling: None,
            hold: None,
            notices: BytesMut::new(),
            draining: None,
            leaving: false,
            gone: false,
            hung_up: false,
            holding: false,
        })
    }

    /// Carries the session to its end.
    pub(super) async fn run(mut self) -> Result<(), ServeError> {
        let end = std::future::poll_fn(|cx| self.poll(cx)).await;
        let (reason, result) = match end {
            End::Quietly(reason) => (reason.to_owned(), Ok(())),
            End::Told(report, why) => {
                self.farewell(&report).await;
                (why.clone(), Err(ServeError::Refused(why)))
            }
            End::Broken(why) => (why.to_string(), Err(why)),
        };
        self.stop_target().await;
        self.session.close(reason);
        let said = Outcome {
            status: Status::Completed,
            message: self.connection.mask(&Field::CLEAN, b""),
            code: "",
            rows: 0,
            bytes: 0,
        };
        // The session is over either way, and its record says so when it is dropped.
        let _ = self.connection.finish(&said);
        result
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.turn(cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(end) => return Poll::Ready(end),
            }
        }
    }

    /// Does everything that can be done now; says whether anything was.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = self.hear_endings(cx)?;
        moved |= self.hear_cancels(cx);
        moved |= self.hear_lookup(cx)?;
        moved |= self.hear_target(cx)?;
        moved |= self.hear_humans(cx)?;
        moved |= self.hear_client(cx)?;
        // Where an outbox is full, the other side is not listened to, and has to be once it is empty.
        let (target_full, client_full) = (self.target.peek().waiting() >= FULL, self.to_client.waiting() >= FULL);
        let sent_on = match self.target.poll_flush(cx) {
            Poll::Ready(Err(why)) => return Err(End::Broken(ServeError::TargetIo(why))),
            Poll::Ready(Ok(())) => {
                self.hang_up(cx)?;
                true
            }
            Poll::Pending => false,
        };
        let sent_back = match self.to_client.poll_send(cx, &mut self.client) {
            Poll::Ready(Err(why)) => return Err(End::Broken(ServeError::ClientIo(why))),
            Poll::Ready(Ok(())) => {
                self.check_over()?;
                true
            }
            Poll::Pending => false,
        };
        Ok(moved || (target_full && sent_on) || (client_full && sent_back))
    }

    /// Whether the session has come to its end, now that the client has heard everything.
    fn check_over(&self) -> Result<(), End> {
        if self.from_target.ended() {
            return Err(if self.leaving || self.hung_up || self.conversation.is_over() {
                End::Quietly("the session was closed")
            } else {
                let report =
                    Report { code: "08006", message: "the target closed the connection".into(), ..Report::default() };
                End::Told(report, "the target closed the connection".into())
            });
        }
        if let Some(reason) = self.draining
            && self.conversation.is_idle()
            && !self.leaving
        {
            return Err(Fault::Ended(Refusal::Ended(reason)).into());
        }
        // What the client sent before it went is still done, as without a gate.
        let nothing_left = !self.leaving && self.lookup.is_none() && self.conversation.is_answered() && !self.holding;
        if self.from_client.ended() && nothing_left {
            return Err(End::Quietly("the client closed the connection"));
        }
        Ok(())
    }

    fn hear_endings(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Poll::Ready(ending) = self.ending.as_mut().poll(cx) else { return Ok(false) };
        match ending {
            Ending::Now(reason) => Err(Fault::Ended(Refusal::Ended(reason)).into()),
            Ending::Finish(reason) => {
                self.draining = Some(reason);
                self.ending = next_ending(&self.session, ending);
                Ok(true)
            }
            Ending::NotYet => Ok(false),
        }
    }

    /// A cancel request is an operation, too, and goes its own way to the target.
    fn hear_cancels(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(cancelling) = &mut self.cancelling {
            let Poll::Ready(sent) = cancelling.sending.as_mut().poll(cx) else { return false };
            if let Some(Cancelling { permit, .. }) = self.cancelling.take() {
                cancel::finish(permit, sent);
            }
            return true;
        }
        let Poll::Ready(Some(told)) = self.key.poll_request(cx) else { return false };
        let effects = classify::cancel(&self.database);
        let operation = Operation {
            kind: "cancel",
            statement: b"",
            parameters: Parameters::default(),
            effects: &effects,
            account: self.conversation.account(),
            in_transaction: false,
            carries: Tags::NONE,
        };
        let answer = self.session.decide(&operation);
        // What has not begun needs no permit to be given up.
        let withdrawn = self.withdraw_hold();
        if let (Answer::Permit(permit), Some((process, key))) = (answer, self.target_key.clone())
            // no record, no request
            && self.target.lend(&permit).is_ok()
        {
            if withdrawn && self.conversation.is_answered() {
                // Nothing runs on the target, and what comes next is not to be cancelled.
                cancel::finish(permit, true);
                return true;
            }
            let sending = cancel::send(Arc::clone(&self.session.target().connector), process, key);
            let sending = async move { matches!(tokio::time::timeout(FAREWELL, sending).await, Ok(Ok(()))) };
            self.cancelling = Some(Cancelling { sending: Box::pin(sending), permit, _told: told });
        }
        true
    }

    fn hear_lookup(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
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

    /// Asks for an estimate of what a statement would write. Planning can run code of the client's own,
    /// so it is done with no other rights than the client's session has.
    fn estimate(&self, statement: Estimable) -> Option<Estimate<'p>> {
        let same = self.conversation.account() == self.postgres.config.login.user;
        let (lookups, database) = (&self.postgres.lookups, self.database.clone());
        same.then(|| Box::pin(estimate(lookups, database, statement)) as Estimate<'p>)
    }

    fn look_up(&self, wanted: Wanted) -> Lookup<'p> {
        let (target, database) = (self.session.target().clone(), self.database.clone());
        Box::pin(lookup::look_up_relations(self.postgres, target, database, Arc::clone(&self.catalogue), wanted))
    }

    fn hear_client(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
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
    fn hang_up(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
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
    fn take_from_client(&mut self) -> Result<bool, End> {
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

    /// Hears the humans' answer, and notices where nobody waits for it any more.
    fn hear_humans(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
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
    fn withdraw_hold(&mut self) -> bool {
        self.conversation.withdraw();
        self.hold.take().is_some()
    }

    fn forward_staged(&mut self) -> Result<(), End> {
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

    fn hear_target(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
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

    /// Tells the client why the session ends, behind everything that it was sent before.
    async fn farewell(&mut self, report: &Report) {
        if self.conversation.is_inside_message() {
            // In the middle of a message of the target's nothing can be said.
            return;
        }
        let mut out = BytesMut::new();
        write::report(&mut out, Severity::Fatal, report);
        self.to_client.push(&out);
        let (to_client, client) = (&mut self.to_client, &mut self.client);
        let sending = std::future::poll_fn(|cx| to_client.poll_send(cx, client));
        let _ = tokio::time::timeout(FAREWELL, sending).await;
        let _ = tokio::time::timeout(FAREWELL, tokio::io::AsyncWriteExt::shutdown(&mut self.client)).await;
    }

    /// Ends what still runs on the target, then the connection to it.
    async fn stop_target(&mut self) {
        let runs = !self.conversation.is_answered() && !self.from_target.ended();
        if let Some((process, key)) = self.target_key.take_if(|_| runs) {
            let connector = Arc::clone(&self.session.target().connector);
            let _ = tokio::time::timeout(FAREWELL, cancel::send(connector, process, key)).await;
        }
        let closing = std::future::poll_fn(|cx| self.target.poll_shutdown(cx));
        let _ = tokio::time::timeout(FAREWELL, closing).await;
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

fn next_ending(session: &Session, now: Ending) -> Pin<Box<dyn Future<Output = Ending> + Send>> {
    let mut heard = session.endings();
    Box::pin(async move {
        match heard.wait_for(|ending| *ending != now).await {
            Ok(ending) => *ending,
            // The registry of sessions is gone: the process ends.
            Err(_) => Ending::Now(EndReason::Drain),
        }
    })
}
