//! A control plane in a folder, clients that wait at it, humans with tokens.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use portcullis_control::asks::Rules;
use portcullis_control::desk::Settings;
use portcullis_control::plane::{Parts, Plane};
use portcullis_core::BoxFuture;
use portcullis_core::approval::{self, Approvals, Verdict, Waiting};
use portcullis_core::clock::Clock;
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Kind, Proof};
use portcullis_core::operation::{Action, Effect, Effects, Resource};
use portcullis_core::policy::{Decision, Ruling, Subject, Terms};
use portcullis_core::sessions::Sessions;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// How long anything here may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long an ask stays open.
pub(crate) const TTL: Duration = Duration::from_secs(900);

/// A clock that a test sets.
pub(crate) struct SetClock(Mutex<SystemTime>);

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// Humans by their tokens; the token is the name.
#[derive(Default)]
struct Humans(HashMap<&'static str, Identity>);

impl IdentitySource for Humans {
    fn identify<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        let Proof::Bearer(token) = proof;
        Box::pin(async move {
            match token.expose().as_str() {
                "old" => Err(IdentityError::Expired),
                "unsure" => Err(IdentityError::Unavailable("the issuer is down".into())),
                name => self.0.get(name).cloned().ok_or_else(|| IdentityError::Rejected("unknown".into())),
            }
        })
    }
}

/// One control plane, which a test may restart.
pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) sessions: Arc<Sessions>,
    plane: Option<Running>,
}

struct Running {
    desk: Arc<portcullis_control::desk::Desk>,
    address: SocketAddr,
    work: JoinHandle<()>,
}

pub(crate) fn human(subject: &str, email: &str, groups: &[&str]) -> Identity {
    Identity {
        issuer: "https://id.example.com".into(),
        subject: subject.into(),
        kind: Kind::User,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        email: Some(email.into()),
        actors: Vec::new(),
        token: Some(format!("jti-{subject}")),
        expires: SystemTime::now() + TTL,
        authenticated: Some(SystemTime::now()),
    }
}

fn humans() -> Humans {
    let mut late = human("lena", "lena@example.com", &["okta:dba"]);
    late.authenticated = Some(SystemTime::now() - Duration::from_secs(3_600));
    let mut robot = human("robot", "robot@example.com", &["okta:dba"]);
    robot.kind = Kind::Workload;
    Humans(HashMap::from([
        ("vera", human("vera", "vera@example.com", &["okta:vendors"])),
        ("vera-admin", human("vera-admin", "Vera@Example.com", &["okta:dba"])),
        ("dana", human("dana", "dana@example.com", &["okta:dba"])),
        ("dana-again", human("dana-2", "dana@example.com", &["okta:dba"])),
        ("dora", human("dora", "dora@example.com", &["okta:dba"])),
        ("sam", human("sam", "sam@example.com", &["okta:security"])),
        ("lena", late),
        ("robot", robot),
    ]))
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(SetClock(Mutex::new(SystemTime::now())));
        let mut stage = Self { folder: TempDir::new().unwrap(), clock, sessions: Arc::default(), plane: None };
        stage.start().await;
        stage
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("state/control.db")
    }

    /// What a killed process leaves behind is found again.
    pub(crate) async fn restart(&mut self) {
        let running = self.plane.take().unwrap();
        running.work.abort();
        let _ = running.work.await;
        drop(running.desk);
        self.sessions = Arc::default();
        self.start().await;
    }

    async fn start(&mut self) {
        let settings = Settings {
            url: "https://gate.example.com".into(),
            rules: Rules { max_login_age: TTL },
            revokers: vec!["okta:security".into()],
        };
        let parts = Parts {
            identity: Arc::new(humans()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            sessions: Arc::clone(&self.sessions),
            tls: None,
        };
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let plane = Plane::open(listen, self.database(), settings, parts).await.unwrap();
        self.plane = Some(Running { desk: plane.desk, address: plane.address, work: tokio::spawn(plane.work) });
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.clock.0.lock().unwrap() += time;
    }

    /// Vera asks from a session of this name.
    pub(crate) fn ask(&self, session: &str, statement: &str, quorum: u32) -> Box<dyn Waiting> {
        let identity = humans().0["vera"].clone();
        let now = self.clock.now();
        let subject = Subject::new(
            identity,
            "shop".into(),
            Vec::new(),
            "sql",
            Ipv4Addr::LOCALHOST.into(),
            "psql\u{202e}".into(),
            now,
        );
        let effects = Effects::new(vec![Effect {
            action: Action::new("sql:delete"),
            resource: Resource::new("Table", ["shop", "public", "orders"]),
            facts: std::collections::BTreeMap::default(),
        }]);
        let terms = Terms { groups: vec![vec!["okta:dba".into()]], quorum, ttl: TTL };
        let ruling = Ruling {
            decision: Decision::AskFirst(terms),
            policies: vec!["writes".into()],
            reason: "writes need a dba".into(),
            revision: Arc::from("r1"),
        };
        let mut fingerprint = [0; 32];
        fingerprint[..statement.len().min(32)].copy_from_slice(&statement.as_bytes()[..statement.len().min(32)]);
        let ask = approval::Ask {
            subject: &subject,
            session,
            statement: statement.as_bytes(),
            values: b"$1 = '7'\n",
            effects: &effects,
            fingerprint: &fingerprint,
            ruling: &ruling,
            asked: now,
        };
        self.desk().ask(&ask).unwrap()
    }

    pub(crate) fn desk(&self) -> &Arc<portcullis_control::desk::Desk> {
        &self.plane.as_ref().unwrap().desk
    }

    /// One request on a connection of its own: status and JSON.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let answer = self.raw(request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|_| json!(body)))
    }

    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.plane.as_ref().unwrap().address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is closed with bytes unread is reset; what came before counts.
        let _ = within(stream.read_to_end(&mut answer)).await;
        String::from_utf8(answer).unwrap()
    }

    /// An answer: the code of its error, or the state of the ask.
    pub(crate) async fn answer(&self, word: &str, id: &str, token: &str) -> String {
        let reason = json!({ "reason": "ticket 7" }).to_string();
        let (_, said) = self.call("POST", &format!("/v1/asks/{id}/{word}"), token, &reason).await;
        let text = said.pointer("/error/code").or_else(|| said.get("state"));
        text.and_then(Value::as_str).unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        let (_, ask) = self.call("GET", &format!("/v1/asks/{id}"), "dana", "").await;
        ask.get("state").or_else(|| ask.pointer("/error/code")).unwrap().as_str().unwrap().to_owned()
    }

    /// Waits until an ask is in a state.
    pub(crate) async fn until(&self, id: &str, state: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = self.state(id).await;
            if now == state {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "it stays {now} and never is {state}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A client that waits on a task of its own.
pub(crate) fn wait(waiting: Box<dyn Waiting>) -> JoinHandle<Verdict> {
    tokio::spawn(waiting.verdict())
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}
