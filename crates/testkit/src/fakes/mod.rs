//! Fakes of every port, and a whole gate made of them. Each can be told to fail.

mod approvals;
mod identity;
mod policy;
mod recorder;
mod streams;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::clock::SystemClock;
use portcullis_core::gate::{Gate, Ports, TargetSpec};
use portcullis_core::masking::Rules;
use portcullis_core::protocol::{Client, Protocol};
use portcullis_core::sessions::Sessions;
use portcullis_core::stream::BoxStream;

pub use approvals::{FakeApprovals, Shown};
pub use identity::FakeIdentity;
pub use policy::FakePolicy;
pub use recorder::{Failing, FakeRecorder};
pub use streams::{Dribble, FakeConnector, Received, Tapped};

/// The token that [`FakeIdentity`] accepts.
pub const TOKEN: &str = "a-token-that-is-good";

/// A gate whose every part is a fake.
pub struct FakeGate {
    /// Accepts [`TOKEN`].
    pub identity: Arc<FakeIdentity>,
    /// Allows everything until told otherwise.
    pub policy: Arc<FakePolicy>,
    /// Answers as told.
    pub approvals: Arc<FakeApprovals>,
    /// Keeps every event in memory.
    pub recorder: Arc<FakeRecorder>,
    /// The live sessions.
    pub sessions: Arc<Sessions>,
    /// Hands out pipes to a scripted target.
    pub connector: Arc<FakeConnector>,
    /// What is masked; nothing until told otherwise. [`FakePolicy`] reveals it until it is told to
    /// deny `reveal`.
    pub masking: Rules,
}

impl FakeGate {
    /// A gate in front of a target that `connector` reaches.
    pub fn new(connector: FakeConnector) -> Self {
        Self {
            identity: Arc::default(),
            policy: Arc::default(),
            approvals: Arc::default(),
            recorder: Arc::default(),
            sessions: Arc::default(),
            connector: Arc::new(connector),
            masking: Rules::none(),
        }
    }

    /// The gate as one client of `P` meets it.
    pub fn gate<P: Protocol>(&self) -> Gate {
        let ports = Ports {
            identity: self.identity.clone(),
            policy: self.policy.clone(),
            approvals: self.approvals.clone(),
            recorder: self.recorder.clone(),
            clock: Arc::new(SystemClock),
            sessions: self.sessions.clone(),
        };
        let target = TargetSpec {
            name: "scripted".into(),
            labels: Vec::new(),
            protocol: P::NAME,
            family: P::VOCABULARY.family,
            max_age: Duration::from_secs(3_600),
            end_with_token: false,
            masking: self.masking.clone(),
            recorded_results: 16 << 10,
            connector: self.connector.clone(),
        };
        Gate::new(ports, Arc::new(target), Ipv4Addr::LOCALHOST.into())
    }
}

/// A client on `stream`, without TLS.
pub fn client(stream: BoxStream, plaintext_login: bool) -> Client {
    Client {
        stream,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)),
        tls: None,
        plaintext_login,
        login_deadline: Duration::from_secs(10),
        proof: None,
    }
}
