//! Postgres under the conformance suite.

use portcullis_core::secret::SecretRef;
use portcullis_core::stream::BoxStream;
use portcullis_postgres::{ClientLogin, Config, Login, Postgres};
use portcullis_testkit::conformance::{Ask, Heard, ScriptedClient, Subject};

use crate::scripted_client::{Client, Reply, frame, startup};
use crate::scripted_target;

struct PostgresSubject;

const ALLOWED: &str = "SELECT name FROM people";
const GUARDED: &str = "DROP TABLE people";
const ENDLESS: &str = "SELECT endless FROM people";

fn text(ask: Ask) -> &'static str {
    match ask {
        Ask::Allowed => ALLOWED,
        Ask::Guarded => GUARDED,
        Ask::Endless => ENDLESS,
    }
}

impl Subject for PostgresSubject {
    type Protocol = Postgres;
    type Client = Client;
    const GUARDED_ACTION: &'static str = "sql:drop";
    const GUARDED_BYTES: &'static [u8] = b"DROP TABLE";
    const VALUE: &'static [u8] = b"Ann";

    fn config() -> Config {
        let password = SecretRef::Env("PORTCULLIS_TEST_NO_SUCH_SECRET".into());
        Config {
            login: Login { user: "gate".into(), password: Some(password) },
            logins: vec![],
            client_login: ClientLogin::Password,
        }
    }

    async fn target(stream: BoxStream) {
        scripted_target::serve(stream).await;
    }

    async fn log_in(stream: BoxStream, token: &str) -> Result<Client, String> {
        Client::log_in(stream, token).await
    }

    fn bad_beginnings() -> Vec<Vec<u8>> {
        vec![
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            vec![0, 0, 0, 7],
            vec![0xff; 64],
            vec![0, 0, 0, 8, 0, 2, 0, 0],
            vec![0, 0, 0, 8],
            startup(&[]),
            // Plaintext behind an encryption request is no plaintext login.
            [
                vec![0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30],
                vec![0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30],
                startup(&[("user", "a")]),
            ]
            .concat(),
            vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc],
        ]
    }

    fn bad_messages() -> Vec<Vec<u8>> {
        vec![
            frame(b'Q', b"SELECT 1"),
            frame(b'Q', b"SELECT 1\0SELECT 2\0"),
            vec![b'Q', 0, 0, 0, 3, b'x'],
            vec![b'Q', 0xff, 0xff, 0xff, 0xff, b'x'],
            frame(b'D', b""),
            frame(b'D', b"Xname\0"),
            frame(b'E', b"portal\0\0"),
            frame(b'P', b"name\0SELECT 1\0\xff\xff"),
            frame(b'B', b"portal"),
            frame(b'F', &[0; 12]),
            frame(b'p', b"another password\0"),
            frame(b'~', b"unknown"),
            frame(b'W', b"\0\0\0"),
            frame(0, b"zero"),
        ]
    }
}

impl ScriptedClient for Client {
    async fn ask(&mut self, ask: Ask) -> Heard {
        self.send(&frame(b'Q', &[text(ask).as_bytes(), b"\0"].concat())).await;
        if ask == Ask::Endless { heard(self.first_row().await) } else { heard(self.until_ready().await) }
    }

    async fn pipeline(&mut self, asks: &[Ask]) -> Vec<Heard> {
        let messages: Vec<u8> = asks.iter().flat_map(|ask| crate::scripted_client::extended(text(*ask))).collect();
        self.send(&messages).await;
        let mut all = Vec::new();
        for _ in asks {
            all.push(heard(self.until_ready().await));
        }
        all
    }

    async fn raw(&mut self, bytes: &[u8]) -> Heard {
        self.send(bytes).await;
        self.finish_sending().await;
        heard(self.until_closed().await)
    }

    async fn until_closed(&mut self) -> Heard {
        heard(Client::until_closed(self).await)
    }
}

fn heard(reply: Reply) -> Heard {
    match reply {
        Reply { closed: true, error, .. } => Heard::Closed(error),
        Reply { error: Some(error), .. } => Heard::Error(error),
        Reply { bytes, .. } => Heard::Done(bytes),
    }
}

portcullis_testkit::conformance!(PostgresSubject);
