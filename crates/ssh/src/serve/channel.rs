//! One session channel: what the client prepares, what policy says of it, and the wait for humans.

use std::sync::Arc;

use portcullis_core::gate::{Answer, Pending};
use portcullis_core::masking::{Field, Tags};
use portcullis_core::operation::{Operation, Parameters};
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::protocol::ServeError;
use portcullis_core::recording::Status;
use portcullis_core::refusal::Refusal;

use super::client::NewChannel;
use super::relay::{self, End};
use super::spool::{FromClient, Terminal};
use super::tape::Tape;
use super::{Connection, target};
use crate::classify::{self, Start};
use crate::refusal;

/// Environment variables that one channel may set.
const MAX_ENV: usize = 32;

/// What a client prepared before it started something.
#[derive(Default)]
struct Prepared {
    terminal: Option<Terminal>,
    env: Vec<(String, String)>,
}

/// Serves one channel until it is closed.
pub(crate) async fn serve(channel: NewChannel, connection: Arc<Connection>) {
    let ending = {
        let mut endings = connection.session.endings();
        tokio::select! {
            begun = begin(&channel) => Ok(begun),
            _ = endings.wait_for(|ending| matches!(ending, portcullis_core::sessions::Ending::Now(_))) => Err(()),
        }
    };
    if let Ok(Some((prepared, start))) = ending {
        run(&channel, &connection, prepared, &start).await;
    }
    channel.spool.end();
    let _ = channel.writer.close().await;
}

/// What comes before the start; `None` where nothing is started.
async fn begin(channel: &NewChannel) -> Option<(Prepared, Start)> {
    let mut prepared = Prepared::default();
    loop {
        match channel.spool.next().await {
            FromClient::Terminal(terminal) => prepared.terminal = Some(terminal),
            FromClient::Env(name, value) if prepared.env.len() < MAX_ENV => prepared.env.push((name, value)),
            FromClient::Size(size) => {
                if let Some(terminal) = &mut prepared.terminal {
                    terminal.size = size;
                }
            }
            FromClient::Start(start) => return Some((prepared, start)),
            FromClient::Env(..) | FromClient::Signal(_) => {}
            // Data for nothing that runs has no meaning.
            FromClient::Data(_) | FromClient::Eof | FromClient::Close | FromClient::Overflow => return None,
        }
    }
}

async fn run(channel: &NewChannel, connection: &Connection, prepared: Prepared, start: &Start) {
    let effects = classify::start(start, &connection.user, prepared.terminal.is_some());
    let operation = Operation {
        kind: start.kind(),
        statement: start.statement(),
        parameters: Parameters::default(),
        effects: &effects,
        account: &connection.user,
        in_transaction: false,
        carries: Tags::NONE,
    };
    let answered = match connection.session.decide(&operation) {
        Answer::Permit(permit) => Some(Ok(permit)),
        Answer::Ask(pending) => hold(channel, connection, pending).await,
        Answer::Refuse(refusal) => Some(Err(refusal)),
    };
    match answered {
        Some(Ok(permit)) => forward(channel, connection, &prepared, start, permit).await,
        Some(Err(refusal)) => refuse(channel, &refusal).await,
        None => {}
    }
}

/// Waits for humans; `None` where the client gave up, which withdraws the ask.
async fn hold(channel: &NewChannel, connection: &Connection, pending: Pending) -> Option<Result<Permit, Refusal>> {
    relay::say(channel, &refusal::waiting(pending.notice(), pending.reason())).await;
    channel.spool.hold(true);
    let mut endings = connection.session.endings();
    let answered = tokio::select! {
        biased;
        () = channel.spool.given_up() => None,
        ended = endings.wait_for(|ending| matches!(ending, portcullis_core::sessions::Ending::Now(_))) => {
            match ended.as_deref() {
                Ok(portcullis_core::sessions::Ending::Now(reason)) => Some(Err(Refusal::Ended(*reason))),
                _ => None,
            }
        }
        answered = pending.wait() => Some(answered),
    };
    channel.spool.hold(false);
    if answered.is_none() {
        relay::say(channel, "portcullis: withdrawn\r\n").await;
        relay::close_with(channel, &End::Status(130)).await;
    }
    answered
}

async fn refuse(channel: &NewChannel, refused: &Refusal) {
    relay::say(channel, &refusal::lines(refused)).await;
    let status = if refusal::ends_session(refused) { refusal::FAILED } else { refusal::NOT_RUN };
    relay::close_with(channel, &End::Status(status)).await;
}

async fn forward(channel: &NewChannel, connection: &Connection, prepared: &Prepared, start: &Start, permit: Permit) {
    let opened = match connection.login() {
        Ok(login) => {
            let id = key_id(connection);
            let config = Arc::clone(&connection.config);
            let dialling = connection
                .session
                .dial(&connection.permit, |spec| async { target::open(spec, config, login, &id).await });
            tokio::select! {
                opened = dialling => opened,
                reason = permit.revoked() => return refuse(channel, &Refusal::Ended(reason)).await,
            }
        }
        Err(why) => Err(why),
    };
    let mut target = match opened {
        Ok(target) => target,
        Err(why) => return unreachable(channel, connection, permit, &why).await,
    };
    let begun = match target.lend(&permit) {
        Ok(end) => end.start(prepared.terminal.as_ref(), &prepared.env, start).await,
        Err(refusal) => return refuse(channel, &refusal).await,
    };
    let (reader, writer) = match begun {
        Ok(ends) => ends,
        Err(why) => {
            let why = ServeError::Target(format!("the channel failed: {why}"));
            return unreachable(channel, connection, permit, &why).await;
        }
    };
    let terminal = prepared.terminal.as_ref();
    let tape = Tape::new(permit, terminal.is_some(), start.is_binary());
    if let Some(Terminal { size: [columns, rows, ..], .. }) = terminal
        && let Err(refusal) = tape.size(*columns, *rows)
    {
        return refuse(channel, &refusal).await;
    }
    relay::relay(channel, reader, writer, tape, connection.session.endings()).await;
}

/// The client is told that the target cannot be had; why is for the operator, for it may name what
/// is behind the gate.
async fn unreachable(channel: &NewChannel, connection: &Connection, mut permit: Permit, why: &ServeError) {
    tracing::warn!(session = connection.session.id(), %why, "the target cannot be had");
    relay::say(channel, "portcullis: the gate could not log in to the target\r\n").await;
    let message = permit.mask(&Field::CLEAN, b"the gate could not log in to the target");
    // The session remembers that its recorder failed.
    let _ = permit.finish(&Outcome { status: Status::Failed, message, code: "", rows: 0, bytes: 0 });
    relay::close_with(channel, &End::Status(refusal::FAILED)).await;
}

/// What the target logs of a connection: which session it is, and who is behind it.
fn key_id(connection: &Connection) -> String {
    let identity = &connection.session.subject().identity;
    let name: String = identity.name().chars().filter(|c| !c.is_control()).take(200).collect();
    format!("portcullis session={} subject={name}", connection.session.id())
}
