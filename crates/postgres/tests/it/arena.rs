//! A gate in front of a real PostgreSQL, and what was recorded of what passed.

use std::path::PathBuf;

use portcullis_core::masking::Rules;
use portcullis_testkit::fakes::FakeConnector;
use portcullis_testkit::servers::{Postgres, Version};
use tokio::net::UnixStream;

use crate::scripted_client::{Client, frame};
use crate::stage::{Stage, within};

/// Tables of the same name in two schemas, and one that no attack may read unseen.
const SCHEMA: &str = "
    CREATE SCHEMA secret; CREATE SCHEMA mine;
    CREATE TABLE public.t (a text); INSERT INTO public.t VALUES ('open');
    CREATE TABLE secret.t (a text); INSERT INTO secret.t VALUES ('HIDDEN');
    CREATE TABLE public.target (a int); INSERT INTO public.target VALUES (1);
";

pub(crate) struct Arena {
    pub(crate) stage: Stage,
    // Dropped last: it stops when nobody is connected.
    pub(crate) postgres: Postgres,
}

impl Arena {
    pub(crate) fn open(version: Version) -> Self {
        Self::masking(version, Rules::none())
    }

    /// A gate that hides from its clients what these rules tag.
    pub(crate) fn masking(version: Version, rules: Rules) -> Self {
        let postgres = Postgres::start(version).unwrap();
        postgres.sql_as_app(SCHEMA).unwrap();
        let socket: PathBuf = postgres.socket_folder().join(format!(".s.PGSQL.{}", postgres.port()));
        let connector = FakeConnector::new(move |mut stream| {
            let socket = socket.clone();
            Box::pin(async move {
                let mut target = UnixStream::connect(socket).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
            })
        });
        let mut stage = Stage::in_front_of(connector, Postgres::USER);
        stage.gate.masking = rules;
        stage.gate.policy.deny("reveal");
        Self { postgres, stage }
    }

    pub(crate) async fn client(&self) -> Client {
        self.stage.client().await
    }

    /// Sends steps, each of which ends with one `ReadyForQuery` or several, and gives the effects
    /// that were recorded of the last operation of the last step, and what the client was told in it.
    pub(crate) async fn run(&self, client: &mut Client, steps: &[Vec<u8>]) -> (String, Vec<u8>) {
        let mut said = Vec::new();
        let mut before = 0;
        for step in steps {
            before = self.stage.gate.recorder.of("operation").len();
            client.send(step).await;
            said.clear();
            for _ in 0..readies(step) {
                said.extend(within(client.until_ready()).await.bytes);
            }
        }
        let operations = self.stage.gate.recorder.of("operation");
        let last = operations.iter().skip(before).last().map(|operation| operation["effects"].to_string());
        (last.unwrap_or_default(), said)
    }
}

/// How many `ReadyForQuery` answer these messages.
pub(crate) fn readies(mut messages: &[u8]) -> usize {
    let mut count = 0;
    while let [tag, a, b, c, d, ..] = *messages {
        count += usize::from(matches!(tag, b'Q' | b'S'));
        messages = &messages[1 + u32::from_be_bytes([a, b, c, d]) as usize..];
    }
    count
}

pub(crate) fn query(text: &str) -> Vec<u8> {
    frame(b'Q', format!("{text}\0").as_bytes())
}

pub(crate) fn close(which: u8, name: &str) -> Vec<u8> {
    frame(b'C', &[&[which], name.as_bytes(), b"\0"].concat())
}
