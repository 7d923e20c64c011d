//! The client's bytes, read only while there is room for what they carry.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use portcullis_core::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::spool::Pressure;

/// A client's stream that pauses under pressure, and ends when it is stopped.
pub(crate) struct Throttled {
    pub(crate) stream: BoxStream,
    pub(crate) pressure: Arc<Pressure>,
}

impl AsyncRead for Throttled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let pauses = self.pressure.pauses(cx.waker());
        if self.pressure.is_stopped() {
            return Poll::Ready(Ok(()));
        }
        if pauses { Poll::Pending } else { Pin::new(&mut self.stream).poll_read(cx, buf) }
    }
}

impl AsyncWrite for Throttled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.pressure.is_stopped() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
