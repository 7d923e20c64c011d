//! Ctrl-C and its kin: noticed instead of ending the program, so that what the demo started is
//! stopped and what it wrote is removed.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::task::Poll;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From its making on, SIGINT, SIGTERM and SIGHUP wait here.
pub(super) struct Interrupt(Receiver<()>);

impl Interrupt {
    pub(super) fn notice() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let mut signals: Vec<Signal> =
            kinds.into_iter().map(signal).collect::<Result<_, _>>().context("cannot listen for signals")?;
        drop(entered);
        let (came, receiver) = channel();
        std::thread::spawn(move || {
            runtime.block_on(std::future::poll_fn(|cx| {
                let any = signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
                if any { Poll::Ready(()) } else { Poll::Pending }
            }));
            // Nobody waits any more where the demo is already over.
            let _ = came.send(());
        });
        Ok(Self(receiver))
    }

    /// Waits for the first one.
    pub(super) fn wait(&self) {
        // An error means that nothing can come any more.
        let _ = self.0.recv();
    }

    /// Whether one has come since it was last asked.
    pub(super) fn has_come(&self) -> bool {
        self.0.try_recv() != Err(TryRecvError::Empty)
    }
}
