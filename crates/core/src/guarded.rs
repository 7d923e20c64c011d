//! A connection to the target that takes bytes only against a permit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::gate::Shared;
use crate::permit::Permit;
use crate::refusal::Refusal;

/// The target's end of a session. Reading is free; writing needs a permit of the same session,
/// whose record is committed first.
pub struct Guarded<U> {
    target: U,
    session: Arc<Shared>,
}

impl<U> Guarded<U> {
    pub(crate) const fn new(target: U, session: Arc<Shared>) -> Self {
        Self { target, session }
    }

    /// Lends the target for what `permit` permits. Everything recorded so far is committed first:
    /// no record, no forward.
    pub fn lend<'u>(&'u mut self, permit: &'u Permit) -> Result<&'u mut U, Refusal> {
        if !permit.belongs_to(&self.session) {
            return Err(Refusal::NotRecorded);
        }
        self.session.commit()?;
        Ok(&mut self.target)
    }

    /// The target's end, to look at.
    pub const fn peek(&self) -> &U {
        &self.target
    }
}

impl<U: AsyncWrite + Unpin> Guarded<U> {
    /// Sends on what was written while lent, and nothing else.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.target).poll_flush(cx)
    }

    /// Ends the stream towards the target.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.target).poll_shutdown(cx)
    }
}

impl<U: AsyncRead + Unpin> AsyncRead for Guarded<U> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.target).poll_read(cx, buf)
    }
}
