//! Request → effects: what each thing that a client asks would do. Pure.

use portcullis_core::operation::{Effect, Effects, Fact, Facts, Resource};
use portcullis_core::vocabulary::Action;

use crate::command;
use crate::vocabulary::{
    ADDRESS, AGENT, CONNECT, EXEC, FORWARD_LOCAL, FORWARD_REMOTE, LOGIN, SFTP, SHELL, SUBSYSTEM, TRANSFER, X11,
};

/// What a session channel is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// One command.
    Exec(Vec<u8>),
    /// A shell.
    Shell,
    /// A subsystem.
    Subsystem(String),
}

/// Something that carries connections of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forward {
    /// From the target to this host and port.
    Local(String, u32),
    /// The target listens at this host and port.
    Remote(String, u32),
    /// From the target to this socket.
    LocalSocket(String),
    /// The target listens at this socket.
    RemoteSocket(String),
    /// The client's agent.
    Agent,
    /// The client's screen.
    X11,
}

impl Start {
    /// The protocol's name for the request.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Exec(_) => "exec",
            Self::Shell => "shell",
            Self::Subsystem(_) => "subsystem",
        }
    }

    /// The exact bytes that say what is asked.
    pub fn statement(&self) -> &[u8] {
        match self {
            Self::Exec(command) => command,
            Self::Shell => b"shell",
            Self::Subsystem(name) => name.as_bytes(),
        }
    }

    /// Whether its bytes are files rather than text.
    pub fn is_binary(&self) -> bool {
        match self {
            Self::Exec(command) => is_transfer(&command::read(command)),
            Self::Shell => false,
            Self::Subsystem(_) => true,
        }
    }
}

impl Forward {
    /// The request as text.
    pub fn statement(&self) -> String {
        match self {
            Self::Local(host, port) => format!("direct-tcpip {host}:{port}"),
            Self::Remote(host, port) => format!("tcpip-forward {host}:{port}"),
            Self::LocalSocket(path) => format!("direct-streamlocal {path}"),
            Self::RemoteSocket(path) => format!("streamlocal-forward {path}"),
            Self::Agent => "auth-agent-req".into(),
            Self::X11 => "x11-req".into(),
        }
    }
}

/// What logging in as `account` does.
pub fn connect(account: &str) -> Effects {
    on_login(CONNECT, account, Facts::new())
}

/// What starting a session channel does.
pub fn start(start: &Start, account: &str, pty: bool) -> Effects {
    let mut facts = Facts::new();
    facts.insert("pty", Fact::Bool(pty));
    match start {
        Start::Shell => on_login(SHELL, account, facts),
        Start::Subsystem(name) => {
            facts.insert("command", Fact::Text(name.as_str().into()));
            on_login(if name == "sftp" { SFTP } else { SUBSYSTEM }, account, facts)
        }
        Start::Exec(bytes) => {
            let read = command::read(bytes);
            let texts = |all: &std::collections::BTreeSet<String>| all.iter().map(|one| one.as_str().into()).collect();
            // Bytes that are no text are opaque; policy sees them in the way that logs do.
            facts.insert("command", Fact::Text(String::from_utf8_lossy(bytes).into()));
            facts.insert("programs", Fact::Texts(texts(&read.programs)));
            facts.insert("arguments", Fact::Texts(texts(&read.arguments)));
            facts.insert("opaque", Fact::Bool(read.opaque));
            facts.insert("sudo", Fact::Bool(read.sudo));
            facts.insert("literal", Fact::Bool(read.argv.is_some()));
            on_login(if is_transfer(&read) { TRANSFER } else { EXEC }, account, facts)
        }
    }
}

/// What carrying others' connections does.
pub fn forward(forward: &Forward) -> Effects {
    let (action, host, port) = match forward {
        Forward::Local(host, port) => (FORWARD_LOCAL, host.as_str(), *port),
        Forward::Remote(host, port) => (FORWARD_REMOTE, host.as_str(), *port),
        Forward::LocalSocket(path) => (FORWARD_LOCAL, path.as_str(), 0),
        Forward::RemoteSocket(path) => (FORWARD_REMOTE, path.as_str(), 0),
        Forward::Agent => (AGENT, "agent", 0),
        Forward::X11 => (X11, "x11", 0),
    };
    let mut facts = Facts::new();
    facts.insert("host", Fact::Text(host.into()));
    facts.insert("port", Fact::Long(i64::from(port)));
    let resource = Resource::new(ADDRESS, [format!("{host}:{port}")]);
    Effects::new(vec![Effect { action, resource, facts }])
}

/// The far ends of scp, rsync and git: one plain command that nobody types.
fn is_transfer(read: &command::Reading) -> bool {
    let Some([program, rest @ ..]) = read.argv.as_deref() else { return false };
    match program.rsplit('/').next().unwrap_or(program) {
        "scp" => rest.iter().any(|word| word == "-t" || word == "-f"),
        "rsync" => rest.first().is_some_and(|word| word == "--server"),
        "git-upload-pack" | "git-receive-pack" | "git-upload-archive" => true,
        _ => false,
    }
}

fn on_login(action: Action, account: &str, facts: Facts) -> Effects {
    Effects::new(vec![Effect { action, resource: Resource::new(LOGIN, [account]), facts }])
}
