//! The target's end of a session: a stream, and an outbox that takes bytes only while it is lent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use pgwire::messages::terminate::Terminate;
use portcullis_core::protocol::ServeError;
use portcullis_core::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::Greeting;
use crate::serve::packets::send;
use crate::wire::write;

/// The target's end of a session. Writing to it only fills the outbox; flushing sends.
pub(crate) struct TargetEnd {
    stream: BoxStream,
    outbox: BytesMut,
    greeting: Greeting,
}

impl TargetEnd {
    pub(super) fn new(stream: BoxStream, greeting: Greeting) -> Self {
        Self { stream, outbox: BytesMut::new(), greeting }
    }

    pub(super) fn take_greeting(&mut self) -> Greeting {
        std::mem::take(&mut self.greeting)
    }

    /// The bare stream, for queries of the gate's own on connections of its own.
    pub(in crate::serve) const fn stream(&mut self) -> &mut BoxStream {
        &mut self.stream
    }

    /// Bytes that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Adds bytes to what is sent with the next flush.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.outbox.extend_from_slice(bytes);
    }

    /// Says goodbye and closes.
    pub(crate) async fn goodbye(mut self) -> Result<(), ServeError> {
        let mut out = BytesMut::new();
        write::message(&mut out, &Terminate::new());
        send(&mut self.stream, &out).await.map_err(ServeError::TargetIo)?;
        self.stream.shutdown().await.map_err(ServeError::TargetIo)
    }
}

impl AsyncRead for TargetEnd {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TargetEnd {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let end = &mut *self;
        while !end.outbox.is_empty() {
            let sent = std::task::ready!(Pin::new(&mut end.stream).poll_write(cx, &end.outbox))?;
            if sent == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            end.outbox.advance(sent);
        }
        Pin::new(&mut end.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
