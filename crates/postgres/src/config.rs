//! What a Postgres target's configuration says beyond what every target has.

use portcullis_core::protocol::ConfigError;
use portcullis_core::secret::{Secret, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;

/// A Postgres target's own keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The login on the target for clients whose requested user name has no login of its own.
    pub login: Login,
    /// Logins that a client selects by the user name that it asks for, where policy permits it.
    #[serde(default)]
    pub logins: Vec<Login>,
    /// How clients show their token.
    #[serde(default)]
    pub client_login: ClientLogin,
}

/// One login on the target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The role to log in as.
    pub user: String,
    /// Its password; left out where the target takes a client certificate or trusts the gate.
    #[serde(default)]
    pub password: Option<SecretRef>,
}

/// How clients show their token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientLogin {
    /// As the password: every client can.
    #[default]
    Password,
    /// By SASL OAUTHBEARER (RFC 7628): clients of PostgreSQL 18 and later.
    OAuthBearer,
}

impl Config {
    /// Refuses what cannot be served.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let mut seen = std::collections::HashSet::new();
        for login in std::iter::once(&self.login).chain(&self.logins) {
            if login.user.is_empty() {
                return Err(ConfigError { key: "login.user".into(), message: "a login needs a user name".into() });
            }
            if !seen.insert(login.user.as_str()) {
                return Err(ConfigError {
                    key: "logins".into(),
                    message: format!("the login `{}` stands twice", login.user),
                });
            }
        }
        Ok(())
    }

    /// The login for a client that asks for `user`.
    pub(crate) fn login_for(&self, user: &str) -> &Login {
        self.logins.iter().find(|login| login.user == user).unwrap_or(&self.login)
    }
}

impl Login {
    /// The password, read now, so that a rotated secret is used by the next login.
    pub(crate) fn secret(&self) -> Result<Option<Secret<String>>, String> {
        self.password.as_ref().map(SecretRef::resolve).transpose().map_err(|why| why.to_string())
    }
}
