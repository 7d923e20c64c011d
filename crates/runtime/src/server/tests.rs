//! A whole gate in this process, with a protocol made for it: limits, slow clients, failures,
//! drain.

mod doors;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use portcullis_core::gate::Gate;
use portcullis_core::identity::Proof;
use portcullis_core::protocol::{Client, ConfigError, Protocol, ServeError};
use portcullis_core::secret::Secret;
use portcullis_core::sessions::Ending;
use portcullis_core::vocabulary::{Action, ActionEntry, TARGET, Vocabulary};
use portcullis_testkit::issuer::{Claims, Issuer};
use schemars::JsonSchema;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Server;
use crate::config::Config;

/// How long anything here may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line protocol: `echo TEXT`, `panic`, `login TOKEN` (which then waits for the end).
struct Lines;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LinesConfig {}

static VOCABULARY: Vocabulary = Vocabulary {
    family: "lines",
    actions: &[ActionEntry {
        action: Action::new("lines:say"),
        within: &[],
        applies_to: &[TARGET],
        meaning: "says a line",
    }],
    resources: &[],
    facts: &[],
};

impl Protocol for Lines {
    const NAME: &'static str = "lines";
    const VOCABULARY: &'static Vocabulary = &VOCABULARY;
    type Config = LinesConfig;

    fn new(_: LinesConfig) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    async fn serve(&self, client: Client, gate: Gate) -> Result<(), ServeError> {
        let mut stream = BufReader::new(client.stream);
        if let Some(Proof::Bearer(token)) = &client.proof {
            let greeting = format!("proven by {}, TLS {}\n", token.expose(), client.tls.is_some());
            stream.write_all(greeting.as_bytes()).await.map_err(ServeError::ClientIo)?;
        }
        let mut line = String::new();
        while stream.read_line(&mut line).await.map_err(ServeError::ClientIo)? > 0 {
            let answer = match line.trim_end().split_once(' ') {
                Some(("echo", text)) => text.to_owned(),
                Some(("login", token)) => wait_for_end(&gate, token).await,
                _ => panic!("told to"),
            };
            stream.write_all(format!("{answer}\n").as_bytes()).await.map_err(ServeError::ClientIo)?;
            line.clear();
        }
        Ok(())
    }

    async fn probe(&self, _: Gate) -> Result<(), ServeError> {
        Err(ServeError::Target("there is none".into()))
    }
}

async fn wait_for_end(gate: &Gate, token: &str) -> String {
    match gate.identify(Proof::Bearer(Secret::new(token.to_owned())), "test").await {
        Ok(session) => {
            let mut endings = session.endings();
            let ending = *endings.wait_for(|ending| *ending != Ending::NotYet).await.unwrap();
            format!("{ending:?}")
        }
        Err(refusal) => refusal.message(),
    }
}

struct Running {
    address: SocketAddr,
    admin: SocketAddr,
    issuer: Issuer,
    stop: Option<oneshot::Sender<()>>,
    done: JoinHandle<()>,
    _folder: TempDir,
}

impl Running {
    async fn start(more: &str) -> Self {
        Self::start_with(more, |server| server).await
    }

    async fn start_with(more: &str, with: impl FnOnce(Server) -> Server) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        let all = "@id(\"all\") permit (principal, action, resource);";
        std::fs::write(folder.path().join("policies/all.cedar"), all).unwrap();
        let issuer = Issuer::start().await.unwrap();
        let text = format!(
            "{more}\n[admin]\nlisten = \"127.0.0.1:0\"\n[policy]\ndir = \"policies\"\n[recording]\ndir = \"recordings\"\n\
             [[identity.oidc]]\nname = \"test\"\nissuer = \"{}\"\naudience = \"portcullis\"\n[[target]]\nname = \
             \"t\"\nprotocol = \"lines\"\nlisten = \"127.0.0.1:0\"\naddress = \"127.0.0.1:1\"\ntls = {{ mode = \
             \"disable\" }}\nplaintext_login = true\n",
            issuer.url()
        );
        let config = Config::parse(folder.path().join("gate.toml"), text).unwrap();
        let bound = with(Server::from(config).with::<Lines>()).plan().unwrap().bind().await.unwrap();
        let address = bound.addresses()[0].1;
        let admin = bound.admin_address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(async move {
            let told = async {
                let _ = stopped.await;
            };
            bound.serve(told, std::future::pending()).await;
        });
        Self { address, admin, issuer, stop: Some(stop), done, _folder: folder }
    }

    async fn connect(&self) -> Talk {
        Talk(BufReader::new(TcpStream::connect(self.address).await.unwrap()))
    }

    /// What the admin listener says.
    async fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Waits until the metrics hold the line.
    async fn shows(&self, line: &str) {
        let begin = Instant::now();
        let mut shown = String::new();
        while begin.elapsed() < PATIENCE {
            shown = self.ask("/metrics").await;
            if shown.lines().any(|one| one == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("`{line}` is not in\n{shown}");
    }
}

struct Talk(BufReader<TcpStream>);

impl Talk {
    async fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line; empty where the gate has closed the connection.
    async fn hear(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("an answer in time");
        match read {
            Ok(_) => line.trim_end().to_owned(),
            Err(_) => String::new(),
        }
    }
}

#[tokio::test]
async fn one_connection_too_many_from_an_address_is_closed_and_the_others_go_on() {
    let gate = Running::start("[limits]\nconnections_per_address = 2").await;
    let (mut first, mut second) = (gate.connect().await, gate.connect().await);
    for talk in [&mut first, &mut second] {
        talk.say("echo here").await;
        assert_eq!(talk.hear().await, "here");
    }
    assert_eq!(gate.connect().await.hear().await, "");
    gate.shows("portcullis_connections_refused_total{limit=\"address\"} 1").await;
    drop(first);
    gate.shows("portcullis_connections_open 1").await;
    let mut next = gate.connect().await;
    next.say("echo room again").await;
    assert_eq!(next.hear().await, "room again");
}

#[tokio::test]
async fn clients_that_say_nothing_hold_up_nobody() {
    let gate = Running::start("").await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(gate.connect().await);
    }
    let mut talk = gate.connect().await;
    talk.say("echo quick").await;
    assert_eq!(talk.hear().await, "quick");
}

#[tokio::test]
async fn a_failing_session_ends_alone() {
    let gate = Running::start("").await;
    let (mut failing, mut other) = (gate.connect().await, gate.connect().await);
    failing.say("panic").await;
    assert_eq!(failing.hear().await, "");
    other.say("echo still here").await;
    assert_eq!(other.hear().await, "still here");
    gate.shows("portcullis_panics_total 1").await;
}

#[tokio::test]
async fn drain_tells_sessions_accepts_nothing_new_and_ends() {
    let mut gate = Running::start("").await;
    assert!(gate.ask("/readyz").await.starts_with("HTTP/1.1 200"));
    let mut talk = gate.connect().await;
    talk.say(&format!("login {}", gate.issuer.mint(&Claims::new("ann")))).await;
    gate.shows("portcullis_sessions_open{protocol=\"lines\",target=\"t\"} 1").await;

    gate.stop.take().unwrap().send(()).unwrap();
    assert_eq!(talk.hear().await, "Finish(Drain)");
    assert!(TcpStream::connect(gate.address).await.is_err());
    drop(talk);
    tokio::time::timeout(PATIENCE, gate.done).await.expect("the gate ends").unwrap();
}

#[tokio::test]
async fn what_does_not_end_within_the_drain_time_is_ended() {
    let mut gate = Running::start("[session]\ndrain = \"100ms\"").await;
    let mut talk = gate.connect().await;
    talk.say("echo open").await;
    assert_eq!(talk.hear().await, "open");
    gate.stop.take().unwrap().send(()).unwrap();
    assert_eq!(talk.hear().await, "");
    tokio::time::timeout(PATIENCE, gate.done).await.expect("the gate ends").unwrap();
}

#[tokio::test]
async fn logins_are_counted_by_result() {
    let gate = Running::start("[session]\nmax_age = \"300ms\"").await;
    let mut talk = gate.connect().await;
    talk.say("login nonsense").await;
    assert_eq!(talk.hear().await, "the token was not accepted");
    talk.say(&format!("login {}", gate.issuer.mint(&Claims::new("ann")))).await;
    assert_eq!(talk.hear().await, "Now(MaxAge)");
    gate.shows("portcullis_logins_total{result=\"rejected\"} 1").await;
    gate.shows("portcullis_logins_total{result=\"accepted\"} 1").await;
}

#[test]
fn masking_in_front_of_a_protocol_that_does_not_mask_is_refused() {
    let told = |masking: &str| {
        let text = format!(
            "{masking}\n[policy]\ndir = \"p\"\n[recording]\ndir = \"r\"\n[[identity.oidc]]\nname = \"test\"\nissuer = \
             \"https://id.example.com\"\naudience = \"portcullis\"\n[[target]]\nname = \"t\"\nprotocol = \
             \"lines\"\nlisten = \"127.0.0.1:1\"\naddress = \"127.0.0.1:1\"\nplaintext_login = true\n"
        );
        let config = Config::parse("/etc/gate.toml".into(), text).unwrap();
        Server::from(config).with::<Lines>().plan().err().unwrap().to_string()
    };
    let refused = "gate.toml:13:1: `[masking]` is about this target, and the protocol `lines` does not mask";
    let all = told("[masking]\ndetect = [\"email\"]");
    assert!(all.contains(refused), "{all}");
    let none = told("[masking]\n");
    assert!(!none.contains("does not mask"), "{none}");
}

#[test]
fn an_unknown_protocol_names_the_one_that_was_meant() {
    let text = "[policy]\ndir = \"p\"\n[recording]\ndir = \"r\"\n[[identity.oidc]]\nname = \"test\"\nissuer = \
                \"https://id.example.com\"\naudience = \"portcullis\"\n[[target]]\nname = \"t\"\nprotocol = \
                \"linse\"\nlisten = \"127.0.0.1:1\"\naddress = \"127.0.0.1:1\"\nplaintext_login = true\n";
    let config = Config::parse("/etc/gate.toml".into(), text.into()).unwrap();
    let told = Server::from(config).with::<Lines>().plan().err().unwrap().to_string();
    assert!(told.contains("gate.toml:11:1: this gate serves no protocol `linse`; did you mean `lines`?"), "{told}");
}
