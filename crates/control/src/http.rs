//! The listener of the control API: TLS, deadlines, and a bound on what strangers hold open.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use portcullis_core::stream::{Acceptor, BoxStream};
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The most connections at a time.
const MAX_CONNECTIONS: usize = 1_000;

/// How long a handshake may take, and the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection may last, where it does not become a tunnel.
const LIFETIME: Duration = Duration::from_secs(300);

/// How long to wait after the system refused to accept.
const PAUSE: Duration = Duration::from_millis(50);

/// A silent connection is probed after this long, then this often, and so many times.
const KEEPALIVE: Duration = Duration::from_secs(60);
const PROBE: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

/// What HTTP is called in TLS (RFC 7301).
const ALPN: &[&[u8]] = &[b"http/1.1"];

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr, u16);

impl Peer {
    pub(crate) const fn socket(self) -> SocketAddr {
        SocketAddr::new(self.0, self.1)
    }
}

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
                Ok((stream, peer)) => (stream, Peer(peer.ip(), peer.port())),
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
    tune(&stream);
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
    let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(routes)).await;
}

/// Sends small messages at once, and finds out when the other side is gone.
fn tune(stream: &TcpStream) {
    let set = || -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
        sockopt::set_tcp_keepintvl(stream, PROBE)?;
        Ok(sockopt::set_tcp_keepcnt(stream, PROBES)?)
    };
    if let Err(why) = set() {
        tracing::debug!(error = %why, "a socket option could not be set");
    }
}
