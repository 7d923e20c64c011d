//! Buffers of the relay: they grow while much passes and shrink when little does, so that an idle
//! session costs little and a long result passes in large pieces.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

/// What an idle session's buffer holds.
const SMALL: usize = 8 << 10;

/// The most that is read at once.
const LARGE: usize = 256 << 10;

/// More than this does not wait in an outbox: the other side is not read meanwhile.
pub(super) const FULL: usize = 256 << 10;

/// Bytes that have arrived and are not dealt with.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: BytesMut,
    chunk: usize,
    ended: bool,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::new(), chunk: SMALL, ended: false }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the other side has said its last.
    pub(super) const fn ended(&self) -> bool {
        self.ended
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.bytes.advance(count.min(self.bytes.len()));
        // What a long message needed is not kept for the next, whatever came behind it.
        let kept = if self.chunk == SMALL { SMALL } else { LARGE.saturating_mul(2) };
        if self.bytes.is_empty() && self.bytes.capacity() > kept {
            self.bytes = BytesMut::new();
        }
    }

    /// Reads once; says whether anything came.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Poll<std::io::Result<bool>> {
        if self.ended {
            return Poll::Pending;
        }
        self.bytes.reserve(self.chunk);
        let space = self.bytes.capacity().saturating_sub(self.bytes.len());
        let read = ready!(tokio_util::io::poll_read_buf(Pin::new(from), cx, &mut self.bytes))?;
        self.ended = read == 0;
        self.chunk = if read >= space {
            self.chunk.saturating_mul(2).min(LARGE)
        } else if read < SMALL {
            SMALL
        } else {
            self.chunk
        };
        Poll::Ready(Ok(read > 0))
    }
}

/// Bytes that wait for the client.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: BytesMut,
    /// Something was written and not flushed.
    dirty: bool,
}

impl Outbox {
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// Adds bytes behind what waits.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Sends bytes at once where nothing waits, and keeps what the stream does not take.
    pub(super) fn relay(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
        mut bytes: &[u8],
    ) -> std::io::Result<()> {
        while self.bytes.is_empty() && !bytes.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, bytes) {
                Poll::Ready(written) => {
                    bytes = bytes.get(written?..).unwrap_or_default();
                    self.dirty = true;
                }
                Poll::Pending => break,
            }
        }
        self.push(bytes);
        Ok(())
    }

    /// Sends what waits and flushes; ready when nothing is left to do.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<std::io::Result<()>> {
        while !self.bytes.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, &self.bytes))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.bytes.advance(written);
            self.dirty = true;
        }
        if self.bytes.capacity() > SMALL {
            self.bytes = BytesMut::new();
        }
        if self.dirty {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.dirty = false;
        }
        Poll::Ready(Ok(()))
    }
}
