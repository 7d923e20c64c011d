//! The stage on which rules play: a fake gate, a scripted target, and scripted clients.

use std::time::Duration;

use portcullis_core::masking::Rules;
use portcullis_core::protocol::{Protocol, ServeError};
use portcullis_core::stream::BoxStream;
use tokio::task::JoinHandle;

use super::Subject;
use crate::fakes::{Dribble, FakeConnector, FakeGate, TOKEN, client};

/// Bytes that a client's pipe holds.
const PIPE: usize = 64 << 10;

/// How long any one step of a rule may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a rule.
#[expect(clippy::expect_used, reason = "a test without a runtime is no test")]
pub fn block_on(rule: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts").block_on(rule);
}

/// A fake gate in front of a subject's target.
pub(super) struct Stage<S: Subject> {
    pub(super) gate: FakeGate,
    protocol: std::sync::Arc<S::Protocol>,
}

/// What became of a served connection.
pub(super) type Served = JoinHandle<Result<(), ServeError>>;

impl<S: Subject> Stage<S> {
    pub(super) fn new() -> Self {
        Self::masking(Rules::none())
    }

    /// A gate that hides what these rules tag.
    #[expect(clippy::expect_used, reason = "a subject whose configuration is wrong cannot be tested")]
    pub(super) fn masking(rules: Rules) -> Self {
        let connector = if S::SEALED {
            FakeConnector::sealed(|stream, received| Box::pin(S::hearing_target(stream, received)))
        } else {
            FakeConnector::new(|stream| Box::pin(S::target(stream)))
        };
        let mut gate = FakeGate::new(connector);
        gate.masking = rules;
        gate.policy.deny("reveal");
        let protocol = S::Protocol::new(S::config()).expect("the subject's configuration is good");
        Self { gate, protocol: std::sync::Arc::new(protocol) }
    }

    /// A client's end of a connection that the gate serves.
    pub(super) fn connect(&self, plaintext_login: bool, chunk: usize) -> (BoxStream, Served) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let gate = self.gate.gate::<S::Protocol>();
        let protocol = std::sync::Arc::clone(&self.protocol);
        let stream: BoxStream =
            if chunk == 0 { Box::new(theirs) } else { Box::new(Dribble { stream: theirs, size: chunk }) };
        let served = tokio::spawn(async move { protocol.serve(client(stream, plaintext_login), gate).await });
        (Box::new(ours), served)
    }

    /// A logged-in client.
    #[expect(clippy::expect_used, reason = "a rule that needs a session cannot go on without")]
    pub(super) async fn client(&self) -> (S::Client, Served) {
        let (stream, served) = self.connect(true, 0);
        let client = within(S::log_in(stream, TOKEN)).await.expect("the good token logs in");
        (client, served)
    }
}

/// Fails the rule where a step takes too long: a hang is a finding.
#[expect(clippy::expect_used, reason = "a hang is a failed rule")]
pub(super) async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.expect("the step ends in time")
}
