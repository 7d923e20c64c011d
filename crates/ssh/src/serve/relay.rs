//! Bytes between a client's channel and the target's, both ways at once, masked and recorded.
//!
//! The order at the end is kept: data, exit status or signal, EOF, close.

use std::time::Duration;

use bytes::Bytes;
use portcullis_core::recording::{Status, Stream};
use portcullis_core::refusal::Refusal;
use portcullis_core::sessions::{EndReason, Ending};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client};
use tokio::sync::watch;

use super::client::NewChannel;
use super::spool::FromClient;
use super::tape::Tape;
use crate::mask::Masker;
use crate::refusal;

/// How long a line without an end waits for more before it is shown.
const SILENCE: Duration = Duration::from_millis(25);
/// How long output waits for the client before reading from it must go on.
const SHORT: Duration = Duration::from_millis(10);
/// How long a client that does not read may take to hear why its channel ends.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Standard error (RFC 4254 §5.2).
const STDERR: u32 = 1;

/// How a program ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With this status.
    Status(u32),
    /// By this signal.
    Signal { name: Sig, dumped: bool, message: String, language: String },
    /// The target closed the channel and did not say.
    Unsaid,
}

/// Why a relay ends.
enum Over {
    /// The program did.
    Target(End),
    /// The client closed the channel.
    Client,
    /// It sent more than could be kept.
    Overflow,
    /// The session must stop.
    Revoked(EndReason),
    /// The gate refuses to go on.
    Refused(Refusal),
}

/// Says something to a client on standard error, if it listens.
pub(crate) async fn say(channel: &NewChannel, text: &str) {
    let text = Bytes::copy_from_slice(text.as_bytes());
    let _ = tokio::time::timeout(LAST_WORDS, give(channel, Some(STDERR), text)).await;
}

/// Tells a client how it ended, and that nothing follows.
pub(crate) async fn close_with(channel: &NewChannel, end: &End) {
    match end {
        End::Status(status) => drop(channel.writer.exit_status(*status).await),
        End::Signal { name, dumped, message, language } => {
            let (message, language) = (message.clone(), language.clone());
            let _ = channel.handle.exit_signal_request(channel.id, name.clone(), *dumped, message, language).await;
        }
        End::Unsaid => {}
    }
    let _ = channel.writer.eof().await;
}

/// Sends bytes to the client when it has room for them.
async fn give(channel: &NewChannel, to: Option<u32>, data: Bytes) -> bool {
    let mut sending = std::pin::pin!(async {
        match to {
            None => channel.writer.data_bytes(data).await,
            Some(stream) => channel.writer.extended_data_bytes(stream, data).await,
        }
    });
    if let Ok(sent) = tokio::time::timeout(SHORT, &mut sending).await {
        return sent.is_ok();
    }
    let _starved = channel.pressure.starve();
    sending.await.is_ok()
}

/// Carries bytes until the program, the client or the session ends.
pub(crate) async fn relay(
    channel: &NewChannel,
    reader: ChannelReadHalf,
    writer: ChannelWriteHalf<client::Msg>,
    tape: Tape,
    endings: watch::Receiver<Ending>,
) {
    let over = tokio::select! {
        biased;
        reason = ended(endings) => Over::Revoked(reason),
        over = to_target(channel, &writer, &tape) => over,
        over = to_client(channel, reader, &tape) => over,
    };
    // A program whose client is gone is told so, as it would be without the gate between.
    let _ = tokio::time::timeout(LAST_WORDS, writer.close()).await;
    let (status, message) = conclude(channel, over).await;
    tape.finish(status, &message);
}

async fn ended(mut endings: watch::Receiver<Ending>) -> EndReason {
    match endings.wait_for(|ending| matches!(ending, Ending::Now(_))).await.as_deref() {
        Ok(Ending::Now(reason)) => *reason,
        // The registry is gone: the process is ending.
        _ => EndReason::Drain,
    }
}

/// What the client is told at the end, and what is recorded.
async fn conclude(channel: &NewChannel, over: Over) -> (Status, String) {
    match over {
        Over::Target(end) => {
            close_with(channel, &end).await;
            match end {
                End::Status(0) => (Status::Completed, "exit status 0".into()),
                End::Status(status) => (Status::Failed, format!("exit status {status}")),
                End::Signal { name, .. } => (Status::Failed, format!("killed by signal {name:?}")),
                End::Unsaid => (Status::Completed, "closed by the target".into()),
            }
        }
        Over::Client => (Status::Aborted, "closed by the client".into()),
        Over::Overflow => {
            say(channel, "portcullis: the target takes nothing, and more came than the gate can keep\r\n").await;
            close_with(channel, &End::Status(refusal::FAILED)).await;
            (Status::Aborted, "more came than could be kept".into())
        }
        Over::Revoked(reason) => {
            say(channel, &refusal::lines(&Refusal::Ended(reason))).await;
            close_with(channel, &End::Status(refusal::FAILED)).await;
            (Status::Aborted, format!("the session has ended: {}", reason.sentence()))
        }
        Over::Refused(refused) => {
            say(channel, &refusal::lines(&refused)).await;
            close_with(channel, &End::Status(refusal::FAILED)).await;
            (Status::Aborted, refused.message())
        }
    }
}

/// What the client sends, in its order. It ends when the client does.
async fn to_target(channel: &NewChannel, writer: &ChannelWriteHalf<client::Msg>, tape: &Tape) -> Over {
    loop {
        let done = match channel.spool.next().await {
            FromClient::Data(data) => {
                if let Err(refusal) = tape.typed(&data) {
                    return Over::Refused(refusal);
                }
                tokio::select! {
                    sent = writer.data_bytes(data) => sent,
                    over = gone(channel) => return over,
                }
            }
            FromClient::Eof => writer.eof().await,
            FromClient::Size([columns, rows, width, height]) => {
                if let Err(refusal) = tape.size(columns, rows) {
                    return Over::Refused(refusal);
                }
                writer.window_change(columns, rows, width, height).await
            }
            FromClient::Signal(signal) => writer.signal(signal).await,
            FromClient::Close => return Over::Client,
            FromClient::Overflow => return Over::Overflow,
            // These come before the start, and mean nothing behind it.
            FromClient::Terminal(_) | FromClient::Env(..) | FromClient::Start(_) => Ok(()),
        };
        if done.is_err() {
            // The target is going away: what it says last is still on its way to the client.
            return gone(channel).await;
        }
    }
}

async fn gone(channel: &NewChannel) -> Over {
    if channel.spool.over().await { Over::Overflow } else { Over::Client }
}

/// What the target sends, masked and recorded, until it closes the channel.
async fn to_client(channel: &NewChannel, mut reader: ChannelReadHalf, tape: &Tape) -> Over {
    let (mut out, mut err) = (Masker::default(), Masker::default());
    let mut said = End::Unsaid;
    loop {
        let waits = out.is_waiting() || err.is_waiting();
        let message = tokio::select! {
            biased;
            message = reader.wait() => message,
            () = tokio::time::sleep(SILENCE), if waits => {
                match flush(channel, tape, &mut out, &mut err).await {
                    Ok(()) => continue,
                    Err(over) => return over,
                }
            }
        };
        let done = match message {
            Some(ChannelMsg::Data { data }) => show(channel, tape, &mut out, None, data).await,
            Some(ChannelMsg::ExtendedData { data, ext }) => show(channel, tape, &mut err, Some(ext), data).await,
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                said = End::Status(exit_status);
                Ok(())
            }
            Some(ChannelMsg::ExitSignal { signal_name, core_dumped, error_message, lang_tag }) => {
                let (name, dumped, message, language) = (signal_name, core_dumped, error_message, lang_tag);
                said = End::Signal { name, dumped, message, language };
                Ok(())
            }
            Some(ChannelMsg::Failure) => {
                say(channel, "portcullis: the target refused the request\r\n").await;
                return Over::Target(End::Status(refusal::FAILED));
            }
            Some(ChannelMsg::Close) | None => break,
            // Success of what was asked, EOF before the close, and what has no meaning here.
            Some(_) => Ok(()),
        };
        if let Err(over) = done {
            return over;
        }
    }
    match flush(channel, tape, &mut out, &mut err).await {
        Ok(()) => Over::Target(said),
        Err(over) => over,
    }
}

async fn flush(channel: &NewChannel, tape: &Tape, out: &mut Masker, err: &mut Masker) -> Result<(), Over> {
    for (masker, to) in [(out, None), (err, Some(STDERR))] {
        if masker.is_waiting() {
            let data = tape.flush(masker, stream_of(to)).map_err(Over::Refused)?;
            send(channel, to, data).await?;
        }
    }
    Ok(())
}

async fn show(
    channel: &NewChannel,
    tape: &Tape,
    masker: &mut Masker,
    to: Option<u32>,
    data: Bytes,
) -> Result<(), Over> {
    let data = tape.show(masker, stream_of(to), data).map_err(Over::Refused)?;
    send(channel, to, data).await
}

async fn send(channel: &NewChannel, to: Option<u32>, data: Bytes) -> Result<(), Over> {
    if data.is_empty() || give(channel, to, data).await { Ok(()) } else { Err(Over::Client) }
}

const fn stream_of(to: Option<u32>) -> Stream {
    match to {
        None => Stream::Output,
        Some(_) => Stream::Error,
    }
}
