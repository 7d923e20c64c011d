//! How a session ends, and what each side is told.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use portcullis_core::gate::Session;
use portcullis_core::protocol::ServeError;
use portcullis_core::refusal::Refusal;
use portcullis_core::sessions::{EndReason, Ending};

use super::Relay;
use crate::refusal;
use crate::serve::cancel;
use crate::session::Fault;
use crate::wire::write::{self, Report, Severity};

/// How long a client that is told goodbye may take to hear it.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// How a session ends.
pub(super) enum End {
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

impl Relay<'_> {
    /// Tells the client why the session ends, behind everything that it was sent before.
    pub(super) async fn farewell(&mut self, report: &Report) {
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
    pub(super) async fn stop_target(&mut self) {
        let runs = !self.conversation.is_answered() && !self.from_target.ended();
        if let Some((process, key)) = self.target_key.take_if(|_| runs) {
            let connector = Arc::clone(&self.session.target().connector);
            let _ = tokio::time::timeout(FAREWELL, cancel::send(connector, process, key)).await;
        }
        let closing = std::future::poll_fn(|cx| self.target.poll_shutdown(cx));
        let _ = tokio::time::timeout(FAREWELL, closing).await;
    }

    pub(super) fn hear_endings(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
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

    /// Whether the session has come to its end, now that the client has heard everything.
    pub(super) fn check_over(&self) -> Result<(), End> {
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
}

pub(super) fn next_ending(session: &Session, now: Ending) -> Pin<Box<dyn Future<Output = Ending> + Send>> {
    let mut heard = session.endings();
    Box::pin(async move {
        match heard.wait_for(|ending| *ending != now).await {
            Ok(ending) => *ending,
            // The registry of sessions is gone: the process ends.
            Err(_) => Ending::Now(EndReason::Drain),
        }
    })
}
