//! A folder with a gate's configuration and policies, and the command run in it.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

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
        std::fs::write(self.path().join(name), text).unwrap();
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

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}
