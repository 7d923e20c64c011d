//! One target's listener: it accepts, counts and hands on. Handshakes are the session's business,
//! in the session's own task, so a slow client holds up nobody.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use portcullis_core::gate::{Gate, Ports, TargetSpec};
use portcullis_core::identity::Proof;
use portcullis_core::protocol::{Client, ServeError};
use portcullis_core::stream::{Acceptor, BoxStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::admission::{Admission, Admitted};
use super::doors::Visitor;
use super::kind::Serving;
use super::socket;
use crate::telemetry::Metrics;

/// How long accepting rests after the system refused a connection, as it does when it is out of
/// file descriptors: trying again at once would only burn the processor.
const REST: Duration = Duration::from_millis(50);

/// A target, ready for clients.
pub(super) struct Listener {
    pub(super) spec: Arc<TargetSpec>,
    pub(super) serving: Arc<dyn Serving>,
    pub(super) ports: Ports,
    pub(super) tls: Option<Arc<dyn Acceptor>>,
    pub(super) plaintext_login: bool,
    pub(super) login_deadline: Duration,
    pub(super) admission: Arc<Admission>,
    pub(super) metrics: Arc<Metrics>,
}

/// The ways in to a target.
pub(super) struct Entrance {
    /// Its own port.
    pub(super) socket: TcpListener,
    /// Its door.
    pub(super) visitors: mpsc::Receiver<Visitor>,
}

impl Listener {
    /// Accepts until `stop`, and gives back the sessions that are still open then. Dropping what
    /// it returns ends them.
    pub(super) async fn accept(self: Arc<Self>, entrance: Entrance, stop: CancellationToken) -> JoinSet<()> {
        let Entrance { socket, mut visitors } = entrance;
        let mut sessions = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return sessions,
                Some(_) = sessions.join_next() => continue,
                Some(visitor) = visitors.recv() => {
                    self.meet(visitor, &mut sessions);
                    continue;
                }
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.admit(stream, address, &mut sessions),
                Err(why) => {
                    tracing::warn!(target = %self.spec.name, error = %why, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, address: SocketAddr, sessions: &mut JoinSet<()>) {
        let Ok(admitted) = self.admission.admit(address.ip()) else {
            tracing::debug!(target = %self.spec.name, client = %address, "a connection too many was closed");
            return;
        };
        socket::tune(&stream);
        let session = Arc::clone(self).session(Box::new(stream), address, None, admitted);
        sessions.spawn(session.instrument(self.span(address)));
    }

    fn meet(self: &Arc<Self>, visitor: Visitor, sessions: &mut JoinSet<()>) {
        let Visitor { stream, address, proof, admitted } = visitor;
        let (listener, span) = (Arc::clone(self), self.span(address));
        let session = async move {
            match tokio::time::timeout(listener.login_deadline, stream).await {
                Ok(Ok(stream)) => listener.session(stream, address, Some(proof), admitted).await,
                Ok(Err(_)) | Err(_) => tracing::debug!("a client that was let in did not come"),
            }
        };
        sessions.spawn(session.instrument(span));
    }

    fn span(&self, address: SocketAddr) -> tracing::Span {
        tracing::info_span!("session", target = %self.spec.name, client = %address)
    }

    async fn session(
        self: Arc<Self>,
        stream: BoxStream,
        address: SocketAddr,
        proof: Option<Proof>,
        admitted: Admitted,
    ) {
        let client = Client {
            stream,
            address,
            // Whoever is proven came through an encrypted tunnel.
            tls: self.tls.clone().filter(|_| proof.is_none()),
            plaintext_login: self.plaintext_login,
            login_deadline: self.login_deadline,
            proof,
        };
        let gate = Gate::new(self.ports.clone(), Arc::clone(&self.spec), address.ip());
        // What a panic leaves behind belongs to this session alone; all that is shared is made to
        // survive a poisoned lock.
        let served = AssertUnwindSafe(self.serving.serve(client, gate)).catch_unwind().await;
        self.ended(served);
        drop(admitted);
    }

    fn ended(&self, served: Result<Result<(), ServeError>, Box<dyn std::any::Any + Send>>) {
        match served {
            Ok(Ok(())) => tracing::debug!("the client left"),
            Ok(Err(why @ (ServeError::Client(_) | ServeError::ClientIo(_) | ServeError::Refused(_)))) => {
                tracing::info!(error = %chain(&why), "the session ended");
            }
            Ok(Err(why)) => tracing::warn!(error = %chain(&why), "the session failed"),
            Err(_) => {
                self.metrics.panicked();
                tracing::error!("the gate failed in this session; no other is touched");
            }
        }
    }
}

/// An error with its causes.
pub(super) fn chain(why: &ServeError) -> String {
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(why);
    while let Some(why) = cause {
        text.push_str(": ");
        text.push_str(&why.to_string());
        cause = why.source();
    }
    text
}
