//! A folder with a gate's configuration and policies, and the command run in it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything here may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a configuration holds before its targets.
const PROCESS: &str = r#"[policy]
dir = "policies"

[recording]
dir = "recordings"

[[identity.oidc]]
name = "okta"
issuer = "https://id.example.com"
audience = "portcullis"

"#;

/// A target that nobody listens behind.
pub(crate) const TARGET: &str = r#"[[target]]
name = "orders-db"
protocol = "postgres"
listen = "127.0.0.1:0"
address = "127.0.0.1:1"
plaintext_login = true
tls = { mode = "disable" }
labels = { env = "prod" }
login = { user = "gate", password = { env = "ORDERS_PASSWORD" } }
"#;

const POLICIES: &str = r#"@id("vendors-read")
permit (principal in Group::"okta:vendors", action in Action::"sql:read", resource in Target::"orders-db");

@id("never-drop") @reason("schema changes go through migrations")
forbid (principal, action in Action::"sql:ddl", resource);
"#;

/// A folder of a gate's files.
pub(crate) struct Folder(TempDir);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    /// A gate with one target.
    pub(crate) fn new() -> Self {
        Self::with(&format!("{PROCESS}{TARGET}"))
    }

    /// A gate whose configuration ends with `targets`.
    pub(crate) fn of_targets(targets: &str) -> Self {
        Self::with(&format!("{PROCESS}{targets}"))
    }

    /// A gate with this configuration.
    pub(crate) fn with(config: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        folder.write("policies/orders.cedar", POLICIES);
        folder.write("portcullis.toml", config);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The command, to be run in this folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(args).current_dir(self.path()).env_remove("PORTCULLIS_LOG");
        command
    }

    /// Runs the command in this folder.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }
}

/// A running gate, ended when dropped.
pub(crate) struct Serving {
    child: Child,
    log: Receiver<Value>,
    /// Where each target listens.
    ports: Vec<(String, u64)>,
    folder: Option<Folder>,
}

impl Serving {
    /// Starts the gate of a folder and waits until it listens. `password` is that of its login.
    pub(crate) fn start(folder: Folder, password: &str) -> Self {
        let mut command = folder.command(&["serve"]);
        let mut child = command.env("ORDERS_PASSWORD", password).stderr(Stdio::piped()).spawn().unwrap();
        let (to, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = to.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let mut serving = Self { child, log, ports: Vec::new(), folder: Some(folder) };
        let listening = serving.wait_for("listening");
        let address: std::net::SocketAddr = listening["address"].as_str().unwrap().parse().unwrap();
        serving.ports.push((listening["target"].as_str().unwrap().to_owned(), u64::from(address.port())));
        serving
    }

    /// The port of a target.
    pub(crate) fn port(&self, target: &str) -> u64 {
        self.ports.iter().find(|(name, _)| name == target).unwrap().1
    }

    /// Tells the gate to stop, waits until it has, and gives back its folder.
    pub(crate) fn stop(mut self) -> Folder {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.wait_for("stopped");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        self.folder.take().unwrap()
    }

    /// The first line of the log with this message from here on.
    fn wait_for(&self, message: &str) -> Value {
        let begin = Instant::now();
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
            if line["message"] == message {
                return line;
            }
            seen.push(line.to_string());
        }
        panic!("the log never said `{message}`:\n{}", seen.join("\n"));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}
