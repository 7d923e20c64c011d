//! The listener of the control API: TLS, deadlines, and a bound on what strangers hold open.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use portcullis_core::stream::{Acceptor, BoxStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The most connections at a time.
const MAX_CONNECTIONS: usize = 1_000;

/// How long a handshake may take, and the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection may last.
const LIFETIME: Duration = Duration::from_secs(300);

/// How long to wait after the system refused to accept.
const PAUSE: Duration = Duration::from_millis(50);

/// What HTTP is called in TLS (RFC 7301).
const ALPN: &[&[u8]] = &[b"http/1.1"];

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A bound listener.
pub(crate) struct Listener {
    socket: TcpListener,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await? })
    }

    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until it is dropped; so are its connections then.
    pub(crate) async fn serve(self, routes: Router, tls: Option<Arc<dyn Acceptor>>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (stream, peer) = match self.socket.accept().await {
                Ok((stream, peer)) => (stream, Peer(peer.ip())),
                Err(why) => {
                    tracing::warn!(error = %why, "the control API could not accept a connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let (routes, tls) = (routes.clone(), tls.clone());
            connections.spawn(async move {
                let _place = place;
                let _ = tokio::time::timeout(LIFETIME, serve_one(stream, routes.layer(Extension(peer)), tls)).await;
            });
        }
    }
}

async fn serve_one(stream: TcpStream, routes: Router, tls: Option<Arc<dyn Acceptor>>) {
    let _ = stream.set_nodelay(true);
    let stream: BoxStream = match tls {
        None => Box::new(stream),
        Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(Box::new(stream), ALPN, false)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let mut server = Builder::new(hyper_util::rt::TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A client that goes away in the middle is no concern of the gate's.
    let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await;
}
