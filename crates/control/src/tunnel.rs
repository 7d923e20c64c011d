//! The tunnel: a client's connection that is carried inside one to the control API, and the port
//! through which it gets in to a target. What passes through it this does not look at.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use portcullis_core::BoxFuture;
use portcullis_core::identity::Proof;
use portcullis_core::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// What the `Upgrade` header calls it.
pub const PROTOCOL: &str = "portcullis";

/// The most tunnels at a time.
const MAX_TUNNELS: usize = 10_000;

/// How long a tunnel may carry nothing, either way.
const IDLE: Duration = Duration::from_secs(2 * 3600);

/// How long its client may take nothing of what waits for it.
const STUCK: Duration = Duration::from_secs(600);

/// A stream that is about to be there.
pub type Coming = BoxFuture<'static, io::Result<BoxStream>>;

/// The ways in to the targets: a port of the control plane.
pub trait Doors: Send + Sync {
    /// Whether there is such a target.
    fn leads_to(&self, target: &str) -> bool;

    /// Makes room for a client at `peer` that wants to `target`.
    fn knock(&self, target: &str, peer: SocketAddr) -> Result<Box<dyn Door>, Shut>;
}

/// A place for one client. Dropping it gives the place to another.
pub trait Door: Send {
    /// Hands the client in, with what it has shown. The target's own side verifies that again.
    fn enter(self: Box<Self>, stream: Coming, proof: Proof);
}

/// Why a door stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// There is no such target.
    Unknown,
    /// Too many connections are open.
    Full,
    /// The gate is draining.
    Stopping,
}

/// The tunnels that may be open.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_TUNNELS)))
    }
}

impl Places {
    /// A place for one tunnel, where there is one.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// A tunnel's stream. It fails once nothing has passed for too long, and gives its place back when
/// it is dropped.
pub(crate) struct Tunnel<S> {
    inner: S,
    /// When something last passed.
    passed: Instant,
    /// Since when the client takes nothing of what waits for it.
    stuck: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl<S> Tunnel<S> {
    pub(crate) fn new(inner: S, place: OwnedSemaphorePermit) -> Self {
        let alarm = Box::pin(tokio::time::sleep(IDLE));
        Self { inner, passed: Instant::now(), stuck: None, alarm, _place: place }
    }

    fn due(&self) -> Instant {
        let idle = self.passed + IDLE;
        self.stuck.map_or(idle, |since| idle.min(since + STUCK))
    }

    /// Something has passed.
    fn pass<T>(&mut self, result: T) -> Poll<T> {
        self.passed = Instant::now();
        Poll::Ready(result)
    }

    /// Nothing can pass now: waits for the time at which that is too long.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        // The alarm is left as it is while bytes pass, and set again when it rings too early.
        if self.due() < self.alarm.deadline() {
            let due = self.due();
            self.alarm.as_mut().reset(due);
        }
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let due = self.due();
            if due <= Instant::now() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the tunnel was idle for too long")));
            }
            self.alarm.as_mut().reset(due);
        }
    }

    fn written(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(written) => {
                self.stuck = None;
                self.pass(written)
            }
            Poll::Pending => {
                self.stuck.get_or_insert_with(Instant::now);
                self.wait(cx)
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tunnel<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_read(cx, into) {
            Poll::Ready(read) => self.pass(read),
            Poll::Pending => self.wait(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tunnel<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed),
            Poll::Pending => {
                self.stuck.get_or_insert_with(Instant::now);
                self.wait(cx)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(cx) {
            Poll::Ready(over) => Poll::Ready(over),
            Poll::Pending => {
                self.stuck.get_or_insert_with(Instant::now);
                self.wait(cx)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn tunnel() -> (Tunnel<DuplexStream>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(64);
        (Tunnel::new(ours, Places::default().take().unwrap()), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn tunnel_that_carries_nothing_ends() {
        let (mut tunnel, _client) = tunnel();
        let begun = Instant::now();
        assert_eq!(tunnel.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), IDLE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn each_byte_begins_the_time_anew() {
        let (mut tunnel, mut client) = tunnel();
        for _ in 0..3 {
            let late = async {
                tokio::time::sleep(IDLE.saturating_sub(Duration::from_secs(1))).await;
                client.write_u8(7).await.unwrap();
            };
            let (read, ()) = tokio::join!(tunnel.read_u8(), late);
            assert_eq!(read.unwrap(), 7);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_takes_nothing_is_let_go_sooner() {
        let (mut tunnel, mut client) = tunnel();
        let begun = Instant::now();
        assert_eq!(tunnel.write_all(&[0; 65]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), STUCK.as_secs());
        // What is taken in the end counts: the next wait is a whole one.
        client.read_exact(&mut [0; 64]).await.unwrap();
        tunnel.write_all(&[0; 64]).await.unwrap();
        let begun = Instant::now();
        tunnel.write_u8(0).await.unwrap_err();
        assert_eq!(begun.elapsed().as_secs(), STUCK.as_secs());
    }

    #[tokio::test]
    async fn tunnels_are_bounded_and_a_place_comes_back() {
        let places = Places::default();
        let mut open: Vec<_> = (0..MAX_TUNNELS).map(|_| places.take().unwrap()).collect();
        assert!(places.take().is_none());
        drop(Tunnel::new(tokio::io::empty(), open.pop().unwrap()));
        assert!(places.take().is_some());
    }
}
