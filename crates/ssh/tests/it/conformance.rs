//! SSH under the conformance suite.

use std::sync::LazyLock;

use portcullis_core::masking::{Settings, Tag};
use portcullis_core::secret::SecretRef;
use portcullis_core::stream::BoxStream;
use portcullis_ssh::{Config, Login, Ssh};
use portcullis_testkit::conformance::{Ask, Heard, ScriptedClient, Subject};
use portcullis_testkit::fakes::Received;

use crate::scripted::{self, Client, Ran};

struct SshSubject;

/// Keys of the tests' own, as files.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    for number in [2, 3] {
        std::fs::write(folder.path().join(number.to_string()), scripted::pem(number)).unwrap();
    }
    folder
});

/// A configuration for the scripted target.
pub(crate) fn config() -> Config {
    let file = |number: u8| SecretRef::File(FOLDER.path().join(number.to_string()));
    Config {
        host_key: file(2),
        logins: vec![Login { user: "app".into(), authority: None, key: Some(file(3)), password: None }],
        target_keys: vec![scripted::public(1)],
        target_authorities: vec![],
        target_host: None,
    }
}

fn command(ask: Ask) -> &'static str {
    match ask {
        Ask::Allowed => "names",
        Ask::Guarded => "scp -t /guarded",
        Ask::Endless => "endless",
    }
}

impl Subject for SshSubject {
    type Protocol = Ssh;
    type Client = Client;
    const GUARDED_ACTION: &'static str = "ssh:transfer";
    const GUARDED_BYTES: &'static [u8] = b"/guarded";
    const VALUE: &'static [u8] = b"Ann";
    const SEALED: bool = true;

    fn config() -> Config {
        config()
    }

    async fn target(stream: BoxStream) {
        scripted::target(stream, Received::default()).await;
    }

    async fn hearing_target(stream: BoxStream, received: Received) {
        scripted::target(stream, received).await;
    }

    fn masking() -> Settings {
        Settings { patterns: vec![("Ann".into(), Tag::new("secret"))], ..Settings::default() }
    }

    async fn log_in(stream: BoxStream, token: &str) -> Result<Client, String> {
        Client::log_in(stream, token).await
    }

    fn bad_beginnings() -> Vec<Vec<u8>> {
        let hello = b"SSH-2.0-x\r\n".to_vec();
        vec![
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"SSH-1.5-old\r\n".to_vec(),
            vec![0xff; 64],
            [&hello[..], &[0xff; 64]].concat(),
            [&hello[..], &[0, 0, 0, 0, 0]].concat(),
            [&hello[..], &[0, 0, 0, 12, 4, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat(),
            // A request for a service before any key exchange.
            [&hello[..], &[0, 0, 0, 12, 4, 5, 0, 0, 0, 3, b'a', b'b', b'c', 0, 0, 0]].concat(),
            vec![],
        ]
    }

    fn bad_messages() -> Vec<Vec<u8>> {
        // Whatever comes unencrypted into an encrypted session.
        vec![
            vec![0; 64],
            vec![0xff; 64],
            b"SSH-2.0-again\r\n".repeat(8),
            [&[0, 0, 0, 28, 4, 90][..], &[7; 64]].concat(),
        ]
    }
}

impl ScriptedClient for Client {
    async fn ask(&mut self, ask: Ask) -> Heard {
        if ask == Ask::Endless {
            return self.begin_endless().await.map_or(Heard::Closed(None), Heard::Done);
        }
        heard(self.run(command(ask)).await)
    }

    /// Channels have no order among each other: what is asked on one comes after what the one before
    /// it has answered.
    async fn pipeline(&mut self, asks: &[Ask]) -> Vec<Heard> {
        let mut all = Vec::new();
        for ask in asks {
            all.push(self.ask(*ask).await);
        }
        all
    }

    async fn raw(&mut self, bytes: &[u8]) -> Heard {
        self.inject(bytes).await;
        Heard::Closed(Client::until_closed(self).await)
    }

    async fn until_closed(&mut self) -> Heard {
        Heard::Closed(Client::until_closed(self).await)
    }
}

fn heard(ran: Option<Ran>) -> Heard {
    match ran {
        Some(Ran { status: Some(0), out, .. }) => Heard::Done(out),
        Some(Ran { err, .. }) => Heard::Error(err),
        None => Heard::Closed(None),
    }
}

portcullis_testkit::conformance!(
    SshSubject,
    without plaintext_downgrade_is_refused: "SSH encrypts by itself and has no plaintext to fall back to"
);
