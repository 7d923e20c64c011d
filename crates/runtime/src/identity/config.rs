//! What the configuration says about an issuer: one `[[identity.oidc]]` table.
//!
//! It checks what can be checked without a network.

use std::path::PathBuf;

use portcullis_core::identity::Kind;
use portcullis_core::secret::SecretRef;
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::algorithm::Algorithm;
use super::fetch;

const MAX_NAME: usize = 63;

/// One issuer whose tokens the gate accepts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// A short name for the issuer: the prefix of its groups, as in `okta:dba`. Lower-case
    /// letters, digits, `-` and `_`.
    pub name: String,
    /// The issuer's URL, exactly as it stands in `iss`, trailing slash included. It must be
    /// https; http is accepted for loopback alone.
    pub issuer: String,
    /// What `aud` must name: one audience, or a list of which any is enough.
    pub audience: Audience,
    /// Where a token names its subject's groups: a claim, or a dotted path such as
    /// `realm_access.roles`.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// Whether the issuer's subjects are people or programs.
    #[serde(default)]
    pub kind: SubjectKind,
    /// The signature algorithms to accept, in place of those that the issuer's discovery document
    /// lists.
    #[serde(default)]
    pub algorithms: Option<Vec<Algorithm>>,
    /// The applications (`azp`) whose tokens are accepted. Empty: any where the token has one
    /// audience; where it has several, those that are named in `audience`.
    #[serde(default)]
    pub authorized_parties: Vec<String>,
    /// The scopes that clients without a token are told to ask for, separated by spaces.
    #[serde(default = "default_scope")]
    pub scope: String,
    /// A PEM file with certificate authorities to trust for this issuer besides the system's own.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The web page's application at the issuer. Without it nobody signs in to the page with this issuer.
    #[serde(default)]
    pub sign_in: Option<SignIn>,
    /// The application of `portcullis login` at the issuer. Without it a token has to come from elsewhere.
    #[serde(default)]
    pub command_line: Option<CommandLine>,
}

/// The web page as the issuer knows it. Its redirect URI is `/login/callback` below `control.url`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Its id at the issuer.
    pub client_id: String,
    /// Where its secret is. Without it the page is a public client, proven by PKCE alone.
    #[serde(default)]
    pub client_secret: Option<SecretRef>,
    /// The scopes that it asks for, separated by spaces: what puts groups and address into the ID token.
    #[serde(default = "sign_in_scope")]
    pub scope: String,
}

/// The command line as the issuer knows it: a public client, which has no secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandLine {
    /// Its id at the issuer.
    pub client_id: String,
    /// The scopes that it asks for, separated by spaces. With `offline_access` most issuers renew a login.
    #[serde(default = "command_line_scope")]
    pub scope: String,
    /// Which of the issuer's tokens the gate is shown. Its `aud` must be among `audience`.
    #[serde(default)]
    pub token: ShownToken,
}

/// Which token is shown to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShownToken {
    /// The ID token: its audience is the client id.
    #[default]
    Id,
    /// The access token, where the issuer makes it a JWT for the gate.
    Access,
}

/// One audience or several.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Audience {
    /// This one.
    One(String),
    /// Any of these.
    Any(Vec<String>),
}

/// What an issuer's subjects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// Human beings.
    #[default]
    User,
    /// Programs: service accounts, pipelines, agents of their own.
    Workload,
}

/// Why an issuer's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The name is empty, too long, or has other characters than it may.
    #[error("`{0}` is no name for an issuer: use up to {MAX_NAME} lower-case letters, digits, `-` and `_`")]
    Name(String),
    /// Two issuers have the same name, so that their groups could not be told apart.
    #[error("two issuers are named `{0}`")]
    SameName(String),
    /// The same issuer stands there twice, so that its tokens would have two meanings.
    #[error("the issuer `{0}` is configured twice")]
    SameIssuer(String),
    /// The URL is none, or not one that may be asked.
    #[error("the issuer `{0}` must be an https URL without user, query and fragment; http is for loopback alone")]
    Issuer(String),
    /// There is no audience, or an empty one.
    #[error("issuer `{0}` needs an `audience`: without one, every token of the issuer would open the gate")]
    Audience(String),
    /// An application of the gate's own has no id.
    #[error("the application `{what}` of issuer `{name}` needs a `client_id`")]
    ClientId {
        /// The issuer's name.
        name: String,
        /// Which application.
        what: &'static str,
    },
    /// The list of algorithms is empty.
    #[error("issuer `{0}` has an empty list of `algorithms`, so that no token could be accepted")]
    Algorithms(String),
    /// The file of authorities cannot be read, or has none.
    #[error("the `ca` file `{path}` of issuer `{name}` cannot be used: {why}")]
    Authorities {
        /// The issuer's name.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no certificate authorities and the configuration names none.
    #[error("issuer `{0}` cannot be trusted: the system has no certificate authorities, and `ca` is not set")]
    NoAuthorities(String),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client for issuer `{name}` cannot be set up: {why}")]
    Client {
        /// The issuer's name.
        name: String,
        /// What went wrong.
        why: String,
    },
}

impl Audience {
    /// The accepted audiences.
    pub fn accepted(&self) -> &[String] {
        match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Any(audiences) => audiences,
        }
    }
}

impl From<SubjectKind> for Kind {
    fn from(kind: SubjectKind) -> Self {
        match kind {
            SubjectKind::User => Self::User,
            SubjectKind::Workload => Self::Workload,
        }
    }
}

/// Checks each table by itself, and that they do not meet.
pub(super) fn check(configs: &[OidcConfig]) -> Result<(), OidcError> {
    for (index, config) in configs.iter().enumerate() {
        check_one(config)?;
        let mut earlier = configs.iter().take(index);
        if earlier.clone().any(|other| other.name == config.name) {
            return Err(OidcError::SameName(config.name.clone()));
        }
        if earlier.any(|other| other.issuer == config.issuer) {
            return Err(OidcError::SameIssuer(config.issuer.clone()));
        }
    }
    Ok(())
}

fn check_one(config: &OidcConfig) -> Result<(), OidcError> {
    // The colon is not among them: it ends the prefix, and two issuers' groups can never meet.
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if config.name.is_empty() || config.name.len() > MAX_NAME || !config.name.bytes().all(good) {
        return Err(OidcError::Name(config.name.clone()));
    }
    let url = Url::parse(&config.issuer).ok();
    let bare = |url: &Url| url.query().is_none() && url.fragment().is_none();
    if !url
        .is_some_and(|url| bare(&url) && (url.scheme() == "https" || fetch::is_loopback(&url)) && fetch::is_safe(&url))
    {
        return Err(OidcError::Issuer(config.issuer.clone()));
    }
    let audiences = config.audience.accepted();
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        return Err(OidcError::Audience(config.name.clone()));
    }
    let ids = [
        ("sign_in", config.sign_in.as_ref().map(|page| &page.client_id)),
        ("command_line", config.command_line.as_ref().map(|command| &command.client_id)),
    ];
    if let Some((what, _)) = ids.into_iter().find(|(_, id)| id.is_some_and(String::is_empty)) {
        return Err(OidcError::ClientId { name: config.name.clone(), what });
    }
    if config.algorithms.as_ref().is_some_and(Vec::is_empty) {
        return Err(OidcError::Algorithms(config.name.clone()));
    }
    Ok(())
}

fn default_groups_claim() -> String {
    String::from("groups")
}

fn default_scope() -> String {
    String::from("openid")
}

fn sign_in_scope() -> String {
    String::from("openid email profile")
}

fn command_line_scope() -> String {
    String::from("openid email profile offline_access")
}
