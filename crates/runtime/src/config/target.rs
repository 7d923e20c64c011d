//! One `[[target]]` of the configuration: the keys that every protocol has, and the rest, which is
//! kept as it stands until its protocol reads it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::document;
use super::problem::{Problem, Source};
use crate::recording::TargetRecording;

/// Keys that every target has. The protocol's own keys stand beside them in the same table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name by which policies, records and metrics know the target.
    pub name: String,
    /// The protocol that the target speaks.
    pub protocol: String,
    /// Where clients of this target connect to the gate.
    pub listen: SocketAddr,
    /// Where the target is: `HOST:PORT`.
    pub address: Address,
    /// Free words about the target that policies may read.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// TLS between the gate and the target.
    #[serde(default)]
    pub tls: TargetTls,
    /// What is different about recording this target's sessions.
    #[serde(default)]
    pub recording: TargetRecording,
    /// Lets clients log in without TLS. Only for a listener on a loopback address.
    #[serde(default)]
    pub plaintext_login: bool,
}

/// The keys of [`Target`], by which a table is split between it and the protocol.
pub(super) const KEYS: [&str; 8] =
    ["name", "protocol", "listen", "address", "labels", "tls", "recording", "plaintext_login"];

/// TLS between the gate and a target.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetTls {
    /// Whether TLS is used.
    pub mode: TargetTlsMode,
    /// PEM file with the authorities that may vouch for the target; without it, the system's own.
    pub ca: Option<PathBuf>,
    /// The name that the target's certificate must carry; without it, the host of `address`.
    pub server_name: Option<String>,
    /// PEM file with the gate's client certificate for this target, with its intermediates.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of `certificate`.
    pub key: Option<PathBuf>,
}

/// Whether TLS to a target is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetTlsMode {
    /// Always, with the certificate and its name verified. A target that cannot is refused.
    #[default]
    Require,
    /// Never. For targets on the same machine or inside another tunnel.
    Disable,
}

/// A host and a port, not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let Some((host, port)) = parts.filter(|(host, port)| !host.is_empty() && *port > 0) else {
            return Err(String::from("an address is `HOST:PORT`, with a port from 1 to 65535"));
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(String::from("an IPv6 address stands in brackets: `[::1]:5432`"));
        }
        Ok(Self { host: bare.unwrap_or(host).to_owned(), port })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A target with the part of its table that only its protocol can read.
#[derive(Debug)]
pub struct TargetEntry {
    /// The common keys.
    pub common: Target,
    pub(crate) rest: Rest,
}

/// The protocol's part of a target's table: where it is in the file.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    /// The target's number in the file, from 0.
    pub(super) index: usize,
    /// The target's whole table.
    pub(super) span: Range<usize>,
    /// Where each key of the table stands, by its dotted name.
    pub(super) places: BTreeMap<String, Range<usize>>,
}

impl Rest {
    /// The place of a key, dotted, or of the nearest table around it.
    pub(crate) fn place(&self, key: &str) -> Range<usize> {
        let mut name = key;
        loop {
            if let Some(place) = self.places.get(name) {
                return place.clone();
            }
            match name.rsplit_once('.') {
                Some((around, _)) => name = around,
                None => return self.span.clone(),
            }
        }
    }

    /// Reads the part as a protocol's configuration.
    pub(crate) fn read<C: serde::de::DeserializeOwned>(&self, source: &Source) -> Result<C, Problem> {
        let (span, own) = document::own_part(source, self.index)?;
        C::deserialize(toml::Deserializer::from(Spanned::new(span, own)))
            .map_err(|why| document::problem_of(source, &why, &KEYS))
    }
}

impl TargetEntry {
    /// Refuses what cannot be served, whatever the protocol.
    pub(super) fn check(&self, has_certificate: bool) -> Result<(), (&'static str, String)> {
        let target = &self.common;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if target.name.is_empty() || target.name.len() > 63 || !target.name.chars().all(plain) {
            return Err(("name", "a name has 1 to 63 of `a` to `z`, `0` to `9`, `-`, `_` and `.`".into()));
        }
        if target.plaintext_login && !target.listen.ip().is_loopback() {
            return Err((
                "plaintext_login",
                "only a listener on a loopback address may let clients log in without TLS".into(),
            ));
        }
        if !has_certificate && !target.plaintext_login {
            return Err((
                "listen",
                "nobody could log in here: the table `[tls]` with the gate's certificate is missing".into(),
            ));
        }
        let tls = &target.tls;
        if tls.certificate.is_some() != tls.key.is_some() {
            return Err(("tls", "`certificate` and `key` go together".into()));
        }
        if tls.mode == TargetTlsMode::Disable && (tls.ca.is_some() || tls.server_name.is_some() || tls.key.is_some()) {
            return Err(("tls", "`mode = \"disable\"` leaves no use for the other keys".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, KEYS, Target};

    #[test]
    fn every_common_key_is_known_to_the_split() {
        let schema = schemars::schema_for!(Target);
        let mut known: Vec<&str> =
            schema.get("properties").unwrap().as_object().unwrap().keys().map(String::as_str).collect();
        let mut keys = KEYS;
        known.sort_unstable();
        keys.sort_unstable();
        assert_eq!(known, keys);
    }

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for (text, shown) in [
            ("db.internal:5432", Some("db.internal:5432")),
            ("10.0.0.1:1", Some("10.0.0.1:1")),
            ("[::1]:5432", Some("[::1]:5432")),
            ("::1:5432", None),
            ("db.internal", None),
            (":5432", None),
            ("db:0", None),
            ("db:70000", None),
        ] {
            let read = Address::try_from(String::from(text)).ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), shown, "{text}");
        }
    }
}
