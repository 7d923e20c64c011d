//! Pipes in the place of sockets: to a scripted target, tapped for what passes, or in dribs.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use portcullis_core::BoxFuture;
use portcullis_core::stream::{BoxStream, Connector, Secured, TlsMode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that a pipe holds before its writer waits.
const PIPE: usize = 64 << 10;

type Serve = dyn Fn(BoxStream) -> BoxFuture<'static, ()> + Send + Sync;

/// What a target has received so far.
pub type Received = Arc<Mutex<Vec<u8>>>;

/// Reaches a scripted target through pipes in memory, and counts how often.
pub struct FakeConnector {
    serve: Box<Serve>,
    dials: AtomicUsize,
    received: Received,
    tapped: bool,
}

impl FakeConnector {
    /// Every connection is served by `serve`.
    pub fn new(serve: impl Fn(BoxStream) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self { serve: Box::new(serve), dials: AtomicUsize::new(0), received: Arc::default(), tapped: true }
    }

    /// Every connection is served by `serve`, which writes down what it receives itself: for targets
    /// whose bytes on the wire are encrypted.
    pub fn sealed(serve: impl Fn(BoxStream, Received) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        let received = Received::default();
        let heard = Arc::clone(&received);
        let serve = move |stream| serve(stream, Arc::clone(&heard));
        Self { serve: Box::new(serve), dials: AtomicUsize::new(0), received, tapped: false }
    }

    /// How many connections were opened.
    pub fn dials(&self) -> usize {
        self.dials.load(Ordering::SeqCst)
    }

    /// Every byte that the target has received, over all connections.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Connector for FakeConnector {
    fn connect(&self) -> BoxFuture<'_, io::Result<BoxStream>> {
        self.dials.fetch_add(1, Ordering::SeqCst);
        let (ours, theirs) = tokio::io::duplex(PIPE);
        tokio::spawn((self.serve)(Box::new(theirs)));
        let stream: BoxStream = if self.tapped {
            Box::new(Tapped { stream: ours, written: Arc::clone(&self.received) })
        } else {
            Box::new(ours)
        };
        Box::pin(std::future::ready(Ok(stream)))
    }

    fn tls_mode(&self) -> TlsMode {
        TlsMode::Disable
    }

    fn start_tls(&self, _stream: BoxStream, _alpn: &'static [&'static [u8]]) -> BoxFuture<'_, io::Result<Secured>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }
}

/// A stream that keeps a copy of what is written to it.
#[derive(Debug)]
pub struct Tapped<S> {
    /// The stream.
    pub stream: S,
    /// What was written.
    pub written: Arc<Mutex<Vec<u8>>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        let seen = bytes.get(..written).unwrap_or_default();
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(seen);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A stream that gives at most `size` bytes a read and takes at most that a write.
#[derive(Debug)]
pub struct Dribble<S> {
    /// The stream.
    pub stream: S,
    /// Bytes at a time.
    pub size: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Dribble<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut piece = vec![0; self.size.min(buf.remaining())];
        let mut small = ReadBuf::new(&mut piece);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut small))?;
        buf.put_slice(small.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Dribble<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let piece = bytes.get(..self.size.min(bytes.len())).unwrap_or_default();
        Pin::new(&mut self.stream).poll_write(cx, piece)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
