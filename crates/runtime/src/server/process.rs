//! The gate as a process: its log, its limits, its threads, the signals that stop it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{RunError, Server};

/// Runs a gate from here to its end.
pub(super) fn run(server: Server) -> Result<(), RunError> {
    crate::telemetry::start_log(&server.config.process.log).map_err(|why| RunError::Process(why.to_string()))?;
    crate::tls::install_provider();
    quiet_panics();
    raise_file_limit();
    let plan = server.plan()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("gate")
        .build()
        .map_err(|why| RunError::Process(format!("its threads cannot be started: {why}")))?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(|why| RunError::Process(why.to_string()))?;
        let mut again = Signals::new().map_err(|why| RunError::Process(why.to_string()))?;
        let bound = plan.bind().await?;
        let stop = signals.next();
        let hurry = async {
            // This one heard the first signal as well.
            again.next().await;
            again.next().await;
        };
        Box::pin(bound.serve(stop, hurry)).await;
        Ok(())
    })
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// A panic's text can quote what a client sent, so the log says where it was and no more.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a part of the gate panicked");
    }));
}

/// Every session needs two file descriptors and its record; the usual soft limit is far too low.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(why) = raised {
        tracing::warn!(error = %why, "the limit of open files could not be raised");
    }
}
