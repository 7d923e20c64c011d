//! The command line: every command, option and example that `--help` teaches.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use portcullis_control::ask::State;
use portcullis_runtime::recording::export::Format;

/// Portcullis stands between people, agents and the things they work on. It proves who a client
/// is, decides every operation by policy, and records what happened.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "\
Exit codes:
  0  all is well
  1  something was found: a recording that is not intact, a policy test that fails, a target that
     cannot be reached
  2  the command line, the configuration or a file is wrong, and nothing was done

Examples:
  portcullis check --config gate.toml --probe     is everything right, and do the targets answer?
  portcullis serve --config gate.toml             run the gate
  portcullis sessions --config gate.toml          what was recorded?
  portcullis replay 17 --config gate.toml         what happened in that session?
  portcullis verify /var/lib/portcullis           was anything changed afterwards?
  portcullis asks                                 what waits for a human's yes?
  portcullis login                                who are you?
  portcullis connect orders-db                    a target, without a password"
)]
pub(crate) struct Args {
    /// The gate's configuration file.
    #[arg(short, long, global = true, value_name = "FILE", default_value = "portcullis.toml")]
    pub(crate) config: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the gate until SIGTERM or SIGINT, then drains it.
    #[command(after_help = "\
The first signal lets running operations finish, for as long as `session.drain` says; a second one
ends them at once. Certificates and policies are read anew when their files change; every other
change of the configuration needs a restart.

Examples:
  portcullis serve --config gate.toml
  PORTCULLIS_LOG=debug portcullis serve")]
    Serve,

    /// Checks the configuration, the policies and the certificates without binding a port.
    #[command(after_help = "\
Examples:
  portcullis check --config gate.toml
  portcullis check --config gate.toml --probe     also log in at every target, and leave again")]
    Check(Check),

    /// Lists recorded sessions, the latest last.
    #[command(after_help = "\
Examples:
  portcullis sessions
  portcullis sessions --follow                    as they begin and end, anywhere you may look
  portcullis sessions --dir /mnt/archive --json | jq 'select(.target == \"orders-db\")'")]
    Sessions(Sessions),

    /// Shows what happened in a session, operation by operation.
    #[command(after_help = "\
Examples:
  portcullis replay gate-0000000017               a session of the configured recordings
  portcullis replay 17                            the same
  portcullis replay /mnt/archive/0000000017.rec   a file, wherever it is
  portcullis replay 17 --json                     every event, one JSON object a line
  portcullis replay 17 --format asciicast | asciinema play -    a terminal, as it was seen
  portcullis replay 17 --format ocsf > 17.ocsf    one object an operation, for a log analysis

Formats:
  jsonl          every event, with its time in words
  asciicast      version 2: what a terminal showed, with a marker at each decision; nothing typed
  asciicast-v3   the same in version 3
  ocsf           OCSF 1.3: one object an operation, without rows and terminals")]
    Replay(Replay),

    /// Proves that recordings are as they were written; needs no secret.
    #[command(after_help = "\
Examples:
  portcullis verify /var/lib/portcullis/recordings
  portcullis verify one.rec another.rec
  portcullis verify --key 4f1c… /mnt/archive      the gate's key is known: trust nothing in the folder

It exits with 1 and names the first bad byte of every recording that was changed, cut short or put
together from others.")]
    Verify(Verify),

    /// Logs you in at your identity provider, for the other commands.
    #[command(after_help = "\
The login is kept in a file of your own below `$XDG_STATE_HOME/portcullis`, one for each control API,
and refreshed as it ends where your identity provider allows that.

Examples:
  export PORTCULLIS_CONTROL=https://portcullis.example.com
  portcullis login                                in the browser of this machine
  portcullis login --device                       in any browser, with a code to type
  portcullis login --issuer okta                  where there are several identity providers")]
    Login(Login),

    /// Forgets your login.
    #[command(after_help = "\
Examples:
  portcullis logout --control https://portcullis.example.com")]
    Logout(Logout),

    /// Says who you are to the gate, and what you may do in the control plane.
    #[command(after_help = "\
Examples:
  portcullis whoami
  portcullis whoami --json | jq -r '.groups[]'")]
    Whoami(Whoami),

    /// Lists the targets that you may see.
    #[command(after_help = "\
Examples:
  portcullis targets
  portcullis targets --json | jq -r 'select(.health.state == \"down\") | .name'")]
    Targets(Targets),

    /// Connects you to a target: no password, your usual client, a port on this machine.
    #[command(after_help = "\
The port is on 127.0.0.1. On Linux it takes connections of your own programs alone; elsewhere whoever
can use this machine can connect as you for as long as it is open. `--exec` closes it with the command.

Examples:
  portcullis connect orders-db                    then do as it says, in another terminal
  portcullis connect orders-db --port 5432
  portcullis connect orders-db --exec -- psql -d shop -c 'SELECT 1'
  portcullis connect bastion --exec -- ssh -p {port} deploy@{host} uptime

With `--exec` the environment has PGHOST and PGPORT, `{host}` and `{port}` in the command are put in,
and the command's exit code is the one that you get.")]
    Connect(Connect),

    /// Makes a password for a target that is good once, for a minute.
    #[command(after_help = "\
For clients that cannot send a token, because their passwords are short.

Examples:
  PGPASSWORD=$(portcullis ticket orders-db) psql -h gate.example.com -d shop")]
    Ticket(Ticket),

    /// Lists what waits for humans.
    #[command(after_help = "\
Examples:
  export PORTCULLIS_CONTROL=https://portcullis.example.com
  portcullis login
  portcullis asks                                 what you may answer, and what you asked
  portcullis asks --watch                         as they come
  portcullis asks --state denied --json")]
    Asks(Asks),

    /// Shows one ask: the exact statement, what it would do, and who asks.
    #[command(after_help = "\
What a terminal would obey, and what a reader would not see, is shown as `\\u{…}`.

Examples:
  portcullis show 7m2k0c9qe4xd
  portcullis show 7m2k0c9qe4xd --json | jq -r .statement | base64 -d      the exact bytes")]
    Show(Show),

    /// Says yes to an ask.
    #[command(after_help = "\
Whoever asked cannot say yes, nor can a program; where a policy wants several humans, each says yes.

Examples:
  portcullis approve 7m2k0c9qe4xd --reason 'checked with the order desk, CHG-1042'")]
    Approve(AnswerAsk),

    /// Says no to an ask. One no is enough.
    #[command(after_help = "\
Examples:
  portcullis deny 7m2k0c9qe4xd --reason 'not during the sale'")]
    Deny(AnswerAsk),

    /// Takes back an approval that was not used yet, or ends sessions.
    #[command(after_help = "\
Sessions end within two seconds, whatever they are doing.

Examples:
  portcullis revoke --ask 7m2k0c9qe4xd --reason 'wrong table'
  portcullis revoke --session gate-0000000017
  portcullis revoke --identity https://id.example.com vendor-7
  portcullis revoke --token-id 3f1e…              every session that was opened with that token")]
    Revoke(Revoke),

    /// Checks, tests and explains policies.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },

    /// About the configuration file.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },

    /// Prints completions for a shell.
    #[command(after_help = "\
Examples:
  portcullis completions bash > /etc/bash_completion.d/portcullis
  portcullis completions zsh  > ~/.zfunc/_portcullis
  portcullis completions fish > ~/.config/fish/completions/portcullis.fish")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Also log in at every target, and leave again.
    #[arg(long)]
    pub(crate) probe: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sessions {
    /// The folder of recordings; without it, the configured one.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// Those that are live at the control API, then each as it begins and ends, until you press Ctrl-C.
    #[arg(long, conflicts_with = "dir", requires = "control")]
    pub(crate) follow: bool,
    /// The control API's URL, for `--follow`.
    #[arg(long, value_name = "URL", env = "PORTCULLIS_CONTROL")]
    control: Option<String>,
    /// As for the other commands that ask the control API.
    #[arg(long, value_name = "FILE", requires = "follow")]
    token_file: Option<PathBuf>,
    /// As for the other commands that ask the control API.
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CA")]
    ca: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Sessions {
    /// The control API, where it is to be asked.
    pub(crate) fn followed(&self) -> Option<Control> {
        let control = self.control.clone().filter(|_| self.follow)?;
        Some(Control { plane: Plane { control, ca: self.ca.clone() }, token_file: self.token_file.clone() })
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// A session's id, or the path of a recording.
    #[arg(value_name = "SESSION|FILE")]
    pub(crate) session: String,
    /// The folder of recordings; without it, the configured one.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// Every event as it is stored, one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// In a form that other programs read.
    #[arg(long, value_name = "FORMAT", value_parser = format(), conflicts_with = "json")]
    pub(crate) format: Option<Format>,
    /// The operation whose terminal is played, where a session had several; without it, the first.
    #[arg(long, value_name = "NUMBER", requires = "format")]
    pub(crate) op: Option<u64>,
}

/// Where the control API is, and who asks there.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Control {
    #[command(flatten)]
    pub(crate) plane: Plane,
    /// A file with a token of your identity provider; without it, `PORTCULLIS_TOKEN` is taken, else what
    /// `portcullis login` has kept.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Where the control API is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Plane {
    /// The control API's URL.
    #[arg(long, value_name = "URL", env = "PORTCULLIS_CONTROL")]
    pub(crate) control: String,
    /// PEM file with the authorities to trust for the control API, in place of the system's.
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CA")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) plane: Plane,
    /// Log in on another device: type a code at your identity provider's page, wherever a browser is.
    #[arg(long)]
    pub(crate) device: bool,
    /// Which identity provider, by its short name, where there are several.
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Logout {
    #[command(flatten)]
    pub(crate) plane: Plane,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Whoami {
    #[command(flatten)]
    pub(crate) control: Control,
    /// JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Targets {
    #[command(flatten)]
    pub(crate) control: Control,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ticket {
    #[command(flatten)]
    pub(crate) control: Control,
    /// The target at which it is to be good.
    pub(crate) target: String,
    /// JSON instead of the bare ticket.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(crate) control: Control,
    /// The target's name.
    pub(crate) target: String,
    /// The port on 127.0.0.1; without it, any that is free.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Run the command behind `--`, and end with it.
    #[arg(long, requires = "command")]
    pub(crate) exec: bool,
    /// The command. `{host}` and `{port}` in it are put in.
    #[arg(last = true, requires = "exec", value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Asks {
    #[command(flatten)]
    pub(crate) control: Control,
    /// Only asks in this state; without it, those that are pending.
    #[arg(long, value_name = "STATE", value_parser = state())]
    pub(crate) state: Option<State>,
    /// Asks in every state.
    #[arg(long, conflicts_with = "state")]
    pub(crate) all: bool,
    /// Those that are pending, then each as it is made or changes, until you press Ctrl-C.
    #[arg(long, conflicts_with_all = ["state", "all"])]
    pub(crate) watch: bool,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) control: Control,
    /// The ask's id.
    #[arg(value_parser = ask_id)]
    pub(crate) id: String,
    /// JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AnswerAsk {
    #[command(flatten)]
    pub(crate) control: Control,
    /// The ask's id.
    #[arg(value_parser = ask_id)]
    pub(crate) id: String,
    /// Why: it is recorded, and told to whoever asked.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) control: Control,
    #[command(flatten)]
    pub(crate) what: Revoked,
    /// Why an approval is taken back: it is recorded, and told to whoever asked.
    #[arg(long, value_name = "TEXT", requires = "ask")]
    pub(crate) reason: Option<String>,
    /// JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is revoked.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Revoked {
    /// An approval that was not used yet, or an ask, by its id.
    #[arg(long, value_name = "ID", value_parser = ask_id)]
    pub(crate) ask: Option<String>,
    /// A session, by its id.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// All sessions that were opened with one token, by its `jti`.
    #[arg(long, value_name = "JTI")]
    pub(crate) token_id: Option<String>,
    /// All sessions of one identity.
    #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
    pub(crate) identity: Option<Vec<String>>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Recordings, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The gate's first public key, as `verify` prints it on the gate itself.
    #[arg(long, value_name = "HEX")]
    pub(crate) key: Option<String>,
    /// One JSON object a recording and line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Validates policies and lists them.
    #[command(after_help = "\
Examples:
  portcullis policy check --config gate.toml
  portcullis policy check --dir policies          without a configuration")]
    Check(PolicyCheck),

    /// Runs tables of questions and expected answers against the policies.
    #[command(after_help = "\
Examples:
  portcullis policy test --dir policies tests/vendors.toml

A table is a TOML file:

  [[case]]
  name = \"vendors may read orders\"
  expect = \"allow\"                               # or ask-first, or deny
  target = \"orders-db\"
  who = { groups = [\"okta:vendors\"] }
  effects = [{ action = \"sql:read\", resource = 'Table::\"orders-db/shop/public/orders\"' }]")]
    Test(PolicyTest),

    /// Says how one operation would be decided, and by which policies.
    #[command(after_help = "\
Examples:
  portcullis policy explain --target orders-db --group okta:vendors --action sql:write \\
      --resource 'Table::\"orders-db/shop/public/orders\"' --fact unfiltered=true")]
    Explain(PolicyExplain),

    /// Says which recorded operations other policies would have decided otherwise.
    #[command(after_help = "\
Nothing is sent to any target, and nothing that runs is changed. It exits with 1 where anything would be
decided otherwise.

Examples:
  portcullis policy replay new-policies --config gate.toml
  portcullis policy replay new-policies --from 2026-11-01T00:00:00Z --target orders-db
  portcullis policy replay new-policies --dir /mnt/archive --json | jq -r .statement")]
    Replay(PolicyReplay),

    /// Prints the schema that policies are validated against, for editors and people.
    Schema,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyReplay {
    /// The folder of the other policies.
    #[arg(value_name = "POLICIES")]
    pub(crate) policies: PathBuf,
    /// The folder of recordings; without it, the configured one.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// Sessions that were opened at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<jiff::Timestamp>,
    /// Sessions that were opened before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<jiff::Timestamp>,
    /// Sessions on this target.
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyFolder {
    /// The folder of policies; without it, the configured one.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyCheck {
    #[command(flatten)]
    pub(crate) folder: PolicyFolder,
    /// JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyTest {
    #[command(flatten)]
    pub(crate) folder: PolicyFolder,
    /// Tables of cases.
    #[arg(required = true, value_name = "TABLE")]
    pub(crate) tables: Vec<PathBuf>,
    /// JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyExplain {
    #[command(flatten)]
    pub(crate) folder: PolicyFolder,
    /// The target's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) target: String,
    /// A label of the target; without any, those that the configuration gives it.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) labels: Vec<(String, String)>,
    /// A group that the client is in. May be given several times.
    #[arg(long = "group", value_name = "ISSUER:GROUP")]
    pub(crate) groups: Vec<String>,
    /// The client's subject, as its issuer names it.
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// The issuer's URL.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The client's verified e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// The client is a program.
    #[arg(long)]
    pub(crate) workload: bool,
    /// Where the client comes from.
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
    /// What it would do, such as `sql:read`.
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: String,
    /// To what, as policies name it; without it, to the target itself.
    #[arg(long, value_name = "KIND::\"PATH\"")]
    pub(crate) resource: Option<String>,
    /// A fact about it. The value is JSON, or a text. May be given several times.
    #[arg(long = "fact", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) facts: Vec<(String, String)>,
    /// JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints the JSON schema of the configuration file, for editors.
    Schema,
}

/// A state by its word.
fn state() -> impl TypedValueParser<Value = State> {
    let named =
        |word: String| State::ALL.into_iter().find(|state| state.word() == word).ok_or("there is no such state");
    PossibleValuesParser::new(State::ALL.map(State::word)).try_map(named)
}

/// A format by its word.
fn format() -> impl TypedValueParser<Value = Format> {
    let named =
        |word: String| Format::ALL.into_iter().find(|format| format.word() == word).ok_or("there is no such format");
    PossibleValuesParser::new(Format::ALL.map(Format::word)).try_map(named)
}

/// An id goes into a URL, so it has no other signs than ids have.
fn ask_id(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if good { Ok(text.to_owned()) } else { Err(String::from("an id has letters and digits only")) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
