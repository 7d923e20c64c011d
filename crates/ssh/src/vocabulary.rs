//! The words that SSH adds to the policy language. What a command does is found out in
//! `command`; this file only names it.

use portcullis_core::vocabulary::{Action, ActionEntry, FactEntry, FactType, ResourceKind, Vocabulary};

/// An account on the target.
pub const LOGIN: &str = "Login";
/// A host and port, or a socket's path, that a forward reaches.
pub const ADDRESS: &str = "Address";

/// Logging in.
pub const CONNECT: Action = Action::new("ssh:connect");
/// Everything that a session channel can be used for.
pub const SESSION: Action = Action::new("ssh:session");
/// Running one command.
pub const EXEC: Action = Action::new("ssh:exec");
/// Running a command that copies files: scp, rsync, git.
pub const TRANSFER: Action = Action::new("ssh:transfer");
/// An interactive shell.
pub const SHELL: Action = Action::new("ssh:shell");
/// File transfer by SFTP.
pub const SFTP: Action = Action::new("ssh:sftp");
/// Another subsystem.
pub const SUBSYSTEM: Action = Action::new("ssh:subsystem");
/// Everything that carries connections of others.
pub const FORWARD: Action = Action::new("ssh:forward");
/// `ssh -L`, `-D`, `-J`, `-W`: a connection from the target to an address.
pub const FORWARD_LOCAL: Action = Action::new("ssh:forward-local");
/// `ssh -R`: the target listens for the client.
pub const FORWARD_REMOTE: Action = Action::new("ssh:forward-remote");
/// `ssh -A`: the target uses the client's keys.
pub const AGENT: Action = Action::new("ssh:agent");
/// `ssh -X`: the target draws on the client's screen.
pub const X11: Action = Action::new("ssh:x11");

const fn entry(
    action: Action,
    within: &'static [Action],
    applies_to: &'static [&'static str],
    meaning: &'static str,
) -> ActionEntry {
    ActionEntry { action, within, applies_to, meaning }
}

/// The words of SSH.
pub static VOCABULARY: Vocabulary = Vocabulary {
    family: "ssh",
    actions: &[
        entry(CONNECT, &[], &[LOGIN], "log in under this account"),
        entry(SESSION, &[], &[LOGIN], "use a session channel, in whatever way"),
        entry(EXEC, &[SESSION], &[LOGIN], "run a command"),
        entry(TRANSFER, &[SESSION], &[LOGIN], "run the far end of scp, rsync or git, whose bytes are not masked"),
        entry(SHELL, &[SESSION], &[LOGIN], "an interactive shell, in which commands are recorded and not decided"),
        entry(SFTP, &[SESSION], &[LOGIN], "transfer files by SFTP, whose bytes are not masked"),
        entry(SUBSYSTEM, &[SESSION], &[LOGIN], "another subsystem, named by `command`"),
        entry(FORWARD, &[], &[ADDRESS], "carry connections of others"),
        entry(FORWARD_LOCAL, &[FORWARD], &[ADDRESS], "connect from the target to this address"),
        entry(FORWARD_REMOTE, &[FORWARD], &[ADDRESS], "let the target listen at this address"),
        entry(AGENT, &[FORWARD], &[ADDRESS], "let the target use the client's keys"),
        entry(X11, &[FORWARD], &[ADDRESS], "let the target draw on the client's screen"),
    ],
    resources: &[ResourceKind { name: LOGIN, parent: None }, ResourceKind { name: ADDRESS, parent: None }],
    facts: &[
        fact("command", FactType::Text, "the exact text of the command, or the subsystem's name"),
        fact("programs", FactType::Texts, "every program that the command is seen to run, without its folder"),
        fact("arguments", FactType::Texts, "every argument that is written out, of all programs"),
        fact("opaque", FactType::Bool, "the command may run what cannot be seen in its text"),
        fact("sudo", FactType::Bool, "it runs `sudo` or another program that changes the user"),
        fact(
            "literal",
            FactType::Bool,
            "one program with arguments, all written out: no expansion, list or redirection",
        ),
        fact("pty", FactType::Bool, "it runs in a terminal"),
        fact("host", FactType::Text, "the host of a forward, or the path of its socket"),
        fact("port", FactType::Long, "the port of a forward"),
    ],
};

const fn fact(name: &'static str, kind: FactType, meaning: &'static str) -> FactEntry {
    FactEntry { name, kind, meaning }
}
