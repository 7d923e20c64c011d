//! The tables of the configuration that belong to the process as a whole: admin, tls, limits,
//! session, log. What a key means is said here, for the schema and the reference alike.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use portcullis_core::secret::SecretRef;
use schemars::JsonSchema;
use serde::Deserialize;

use super::duration;

/// Where identities come from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Issuers of tokens. A token is accepted only from one of these.
    pub oidc: Vec<crate::identity::OidcConfig>,
    /// A folder in which the last good keys of every issuer are kept, so that a restart while an
    /// issuer is away does not lock everybody out. Without it they are kept in memory alone.
    pub cache_dir: Option<PathBuf>,
}

/// The listener for metrics and health. Without this table there is none.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address of `/metrics`, `/healthz` and `/readyz`. It shows no statement and no identity, but
    /// keep it inside all the same.
    pub listen: SocketAddr,
}

/// The control plane in the gate's own process: who is asked for approvals, and the API through which
/// they answer. Without this table nobody is asked, and what needs an approval is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Address of the API. Beyond this machine it needs the gate's certificate, `[tls]`.
    pub listen: SocketAddr,
    /// Where people reach it, for the links that waiting clients are shown; without it, the address
    /// that it listens on.
    #[serde(default)]
    pub url: Option<String>,
    /// The file that asks and answers are kept in. It is made where it is missing.
    #[serde(default = "Control::database")]
    pub database: PathBuf,
    /// The oldest login that may answer an ask, by the token's `auth_time`, else its `iat`.
    #[serde(with = "duration", default = "Control::max_login_age")]
    #[schemars(with = "String")]
    pub max_login_age: Duration,
    /// How long somebody who signed in to the page is, with the groups that they had then.
    #[serde(with = "duration", default = "Control::sign_in_lasts")]
    #[schemars(with = "String")]
    pub sign_in_lasts: Duration,
    /// Who is told when an ask is made and what becomes of it. Nobody can answer through them.
    #[serde(default)]
    pub notify: Vec<Notify>,
}

/// A receiver of notifications about asks: of what they are about, never of statements and values.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Its name, by which the log knows it. What waits for a name that is gone is forgotten.
    pub name: String,
    /// How it is told.
    pub kind: NotifyKind,
    /// Where it is: `{ env = "NAME" }` or `{ file = "PATH" }`, for whoever knows the address of an incoming
    /// webhook can write there. It begins with `https://`, except on this machine.
    pub url: SecretRef,
    /// The key that webhooks are signed with, as Standard Webhooks writes it: `whsec_` and 24 to 64 bytes in
    /// base64. Make one with `echo whsec_$(openssl rand -base64 32)`.
    #[serde(default)]
    pub secret: Option<SecretRef>,
}

/// How a receiver of notifications is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NotifyKind {
    /// By signed JSON (standardwebhooks.com).
    Webhook,
    /// By a message to a channel of Slack.
    Slack,
}

impl Notify {
    /// What cannot be.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match (self.kind, &self.secret) {
            (NotifyKind::Webhook, None) => Err("a `notify` of the kind `webhook` has a `secret` to sign with"),
            (NotifyKind::Slack, Some(_)) => Err("a `notify` of the kind `slack` has no `secret`: its `url` is one"),
            (NotifyKind::Webhook, Some(_)) | (NotifyKind::Slack, None) => Ok(()),
        }
    }
}

impl Control {
    fn database() -> PathBuf {
        PathBuf::from("control.sqlite")
    }

    const fn max_login_age() -> Duration {
        Duration::from_secs(3600)
    }

    const fn sign_in_lasts() -> Duration {
        Duration::from_secs(3600)
    }
}

/// The gate's certificate, shown to clients. Both files are read anew when they change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// PEM file with the certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// Bounds on what strangers may hold open.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections of all clients together. The next one is closed at once.
    pub connections: u32,
    /// Connections from one address (IPv6: one /64 network). The next one is closed at once.
    pub connections_per_address: u32,
    /// How long a client may take from connecting to having logged in.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub login_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10_000, connections_per_address: 1_000, login_deadline: Duration::from_secs(10) }
    }
}

/// How sessions end.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// The longest that a session may last.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub max_age: Duration,
    /// Whether a session also ends when the token it was opened with expires.
    pub end_with_token: bool,
    /// How long running operations may go on once the gate is told to stop.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub drain: Duration,
}

impl Default for Session {
    fn default() -> Self {
        Self { max_age: Duration::from_secs(12 * 3600), end_with_token: false, drain: Duration::from_secs(30) }
    }
}

/// What the gate writes to standard error.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `auto` is text on a terminal and JSON elsewhere.
    pub format: LogFormat,
    /// What is logged, as a `tracing` filter: `info`, or `info,portcullis_postgres=debug`. The
    /// environment variable `PORTCULLIS_LOG` goes before it.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: String::from("info") }
    }
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
