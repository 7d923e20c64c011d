//! A fake gate in front of the scripted target, for tests of single exchanges.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::identity::Proof;
use portcullis_core::protocol::{self, Protocol, ServeError};
use portcullis_core::secret::Secret;
use portcullis_core::stream::BoxStream;
use portcullis_postgres::{ClientLogin, Config, Login, Postgres};
use portcullis_testkit::fakes::{FakeConnector, FakeGate, TOKEN, client};
use tokio::task::JoinHandle;

use crate::scripted_client::Client;
use crate::scripted_target;

/// The gate of one test.
pub(crate) struct Stage {
    pub(crate) gate: FakeGate,
    protocol: Arc<Postgres>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(ClientLogin::Password)
    }

    pub(crate) fn with(client_login: ClientLogin) -> Self {
        let gate = FakeGate::new(FakeConnector::new(|stream| Box::pin(scripted_target::serve(stream))));
        let config = Config { login: Login { user: "gate".into(), password: None }, logins: vec![], client_login };
        Self { gate, protocol: Arc::new(Postgres::new(config).expect("a good configuration")) }
    }

    /// A gate in front of another target, where it logs in as `user`.
    pub(crate) fn in_front_of(connector: FakeConnector, user: &str) -> Self {
        let login = Login { user: user.into(), password: None };
        let config = Config { login, logins: vec![], client_login: ClientLogin::Password };
        let protocol = Postgres::new(config).expect("a good configuration");
        Self { gate: FakeGate::new(connector), protocol: Arc::new(protocol) }
    }

    /// A client's end of a connection that the gate serves.
    pub(crate) fn connect(&self) -> (BoxStream, JoinHandle<Result<(), ServeError>>) {
        self.serve(|stream| client(stream, true))
    }

    /// The same through the gate's own tunnel, where `token` was shown before.
    pub(crate) fn connect_proven(&self, token: &str) -> (BoxStream, JoinHandle<Result<(), ServeError>>) {
        let proof = Some(Proof::Bearer(Secret::new(token.to_owned())));
        self.serve(|stream| protocol::Client { proof, ..client(stream, false) })
    }

    fn serve(
        &self,
        client: impl FnOnce(BoxStream) -> protocol::Client,
    ) -> (BoxStream, JoinHandle<Result<(), ServeError>>) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (client, gate) = (client(Box::new(theirs)), self.gate.gate::<Postgres>());
        let protocol = Arc::clone(&self.protocol);
        let served = tokio::spawn(async move { protocol.serve(client, gate).await });
        (Box::new(ours), served)
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_with(&[("user", "somebody"), ("database", "shop")]).await.expect("the token is good")
    }

    pub(crate) async fn client_with(&self, parameters: &[(&str, &str)]) -> Result<Client, String> {
        within(Client::log_in_with(self.connect().0, TOKEN, parameters)).await
    }

    /// Whether the target has received these bytes.
    pub(crate) fn target_received(&self, bytes: &[u8]) -> bool {
        self.gate.connector.received().windows(bytes.len()).any(|window| window == bytes)
    }

    /// The recorded outcomes' statuses, in order of their operations.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let mut outcomes = self.gate.recorder.of("outcome");
        outcomes.sort_by_key(|outcome| outcome["op"].as_u64());
        outcomes.iter().map(|outcome| outcome["status"].as_str().expect("a status").to_owned()).collect()
    }
}

/// A hang is a finding.
pub(crate) async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), step).await.expect("the step ends in time")
}
