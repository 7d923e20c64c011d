//! What an SSH target's configuration says beyond what every target has.

use portcullis_core::protocol::ConfigError;
use portcullis_core::secret::SecretRef;
use russh::keys::PublicKey;
use schemars::JsonSchema;
use serde::Deserialize;

/// An SSH target's own keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The gate's own host key, which clients see: a private key in OpenSSH's format.
    pub host_key: SecretRef,
    /// The accounts on the target. A client selects one by its user name.
    pub logins: Vec<Login>,
    /// The target's host keys, `ssh-ed25519 AAAA…`: what `ssh-keyscan` prints behind the host's
    /// name. A target that shows another is refused.
    #[serde(default)]
    pub target_keys: Vec<String>,
    /// Host certificate authorities. A target that shows a certificate of theirs for `target_host`
    /// is trusted.
    #[serde(default)]
    pub target_authorities: Vec<String>,
    /// The name that a host certificate must be valid for.
    #[serde(default)]
    pub target_host: Option<String>,
}

/// One account on the target. It needs one of `authority`, `key` and `password`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The account's name.
    pub user: String,
    /// The private key of the gate's user certificate authority, in OpenSSH's format: each
    /// connection gets a certificate of its own, whose key id names session and subject.
    #[serde(default)]
    pub authority: Option<SecretRef>,
    /// A private key in OpenSSH's format.
    #[serde(default)]
    pub key: Option<SecretRef>,
    /// A password.
    #[serde(default)]
    pub password: Option<SecretRef>,
}

impl Config {
    /// Refuses what cannot be served.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, message: String| Err(ConfigError { key: key.into(), message });
        if self.logins.is_empty() {
            return wrong("logins", "a target needs at least one login".into());
        }
        for (at, login) in self.logins.iter().enumerate() {
            if login.user.is_empty() || self.logins.iter().take(at).any(|other| other.user == login.user) {
                return wrong("logins", format!("the login `{}` is empty or stands twice", login.user));
            }
            if [&login.authority, &login.key, &login.password].into_iter().flatten().count() != 1 {
                let user = &login.user;
                return wrong("logins", format!("the login `{user}` needs one of `authority`, `key` and `password`"));
            }
        }
        if self.target_keys.is_empty() && self.target_authorities.is_empty() {
            return wrong("target_keys", "a target needs `target_keys` or `target_authorities`".into());
        }
        if !self.target_authorities.is_empty() && self.target_host.is_none() {
            return wrong("target_host", "a host certificate has to be for a name: `target_host`".into());
        }
        for (key, all) in [("target_keys", &self.target_keys), ("target_authorities", &self.target_authorities)] {
            if let Some(bad) = all.iter().find(|text| PublicKey::from_openssh(text).is_err()) {
                return wrong(key, format!("`{bad}` is no public key in OpenSSH's format"));
            }
        }
        Ok(())
    }

    /// The account that a client asks for: `login`, or `login+target` with this target's name.
    pub(crate) fn login_for(&self, user: &str, target: &str) -> Option<&Login> {
        let login = match user.rsplit_once('+') {
            Some((login, named)) if named == target => login,
            _ => user,
        };
        self.logins.iter().find(|known| known.user == login)
    }
}
