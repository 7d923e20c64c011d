//! A value that must not be shown, and where a configuration says that it is kept.
//!
//! It erases itself when dropped and prints as `[secret]`. It does not know what it protects.

use std::io::Read;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// The longest secret that a file may hold, in bytes. Keys and tokens are far shorter.
const SECRET_BYTES: u64 = 64 << 10;

/// Holds a value that never reaches a log, an error or a record.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Call this on the line that uses it, and nowhere else.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self)
    }
}

/// Where a secret is kept: `{ env = "NAME" }` or `{ file = "PATH" }`. A configuration never holds
/// the secret itself: a plain text in its place is an error that does not repeat the text.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// In an environment variable of the gate's process.
    Env(String),
    /// In a file, without the line break at its end. It is read anew for every use.
    File(PathBuf),
}

/// Why a secret cannot be had. It names the place, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set, or is not text.
    #[error("the environment variable `{0}` is not set to a text")]
    Env(String),
    /// The file cannot be read.
    #[error("the secret file `{path}` cannot be read: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds what cannot be a secret.
    #[error("the secret file `{path}` {fault}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

impl SecretRef {
    /// Reads the secret now. One line break at the end of a file is not part of it.
    pub fn resolve(&self) -> Result<Secret<String>, SecretError> {
        match self {
            Self::Env(name) => std::env::var(name).map(Secret::new).map_err(|_| SecretError::Env(name.clone())),
            Self::File(path) => from_file(path),
        }
    }
}

fn from_file(path: &std::path::Path) -> Result<Secret<String>, SecretError> {
    let name = || path.display().to_string();
    let unreadable = |source| SecretError::File { path: name(), source };
    let content = |fault| SecretError::Content { path: name(), fault };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let read = file.take(SECRET_BYTES + 1).read_to_string(&mut text);
    let mut secret = Secret::new(text);
    read.map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => content("is not UTF-8"),
        _ => unreadable(source),
    })?;
    if secret.0.len() as u64 > SECRET_BYTES {
        return Err(content("is longer than 64 KiB"));
    }
    let kept = secret.0.strip_suffix('\n').map_or(secret.0.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    secret.0.truncate(kept);
    if secret.0.is_empty() {
        return Err(content("is empty"));
    }
    Ok(secret)
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Place)
    }
}

/// Reads a reference. It answers anything else itself, since the usual messages repeat the value.
struct Place;

impl<'de> Visitor<'de> for Place {
    type Value = SecretRef;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a secret's place: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<SecretRef, E> {
        Err(E::custom(
            "a secret must not stand here itself; give its place: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(A::Error::missing_field("env"));
        };
        let place = match key.as_str() {
            "env" => SecretRef::Env(map.next_value()?),
            "file" => SecretRef::File(map.next_value()?),
            other => return Err(A::Error::unknown_field(other, &["env", "file"])),
        };
        match map.next_key::<String>()? {
            Some(_) => Err(A::Error::custom("a secret has one place, either `env` or `file`")),
            None => Ok(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Secret, SecretRef};

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new(String::from("hunter2"))), "[secret]");
    }

    fn read(content: &[u8]) -> Result<String, String> {
        let path = std::env::temp_dir().join(format!("portcullis-secret-{}-{}", std::process::id(), content.len()));
        std::fs::File::create(&path).unwrap().write_all(content).unwrap();
        let secret = SecretRef::File(path.clone()).resolve();
        std::fs::remove_file(&path).unwrap();
        secret.map(|secret| secret.expose().clone()).map_err(|why| why.to_string())
    }

    #[test]
    fn a_file_gives_its_text_without_the_last_line_break() {
        assert_eq!(read(b"hunter2\n").unwrap(), "hunter2");
        assert_eq!(read(b" two\nlines\r\n").unwrap(), " two\nlines");
        assert!(read(b"\n").unwrap_err().ends_with("is empty"));
        assert!(read(b"\xff\xfe").unwrap_err().ends_with("is not UTF-8"));
        assert!(read(&vec![b'x'; 70_000]).unwrap_err().ends_with("is longer than 64 KiB"));
    }

    #[test]
    fn only_a_place_is_accepted_and_the_text_is_not_repeated() {
        let parse = |json: &str| serde_json::from_str::<SecretRef>(json).map_err(|why| why.to_string());
        assert_eq!(parse(r#"{"env":"A"}"#).unwrap(), SecretRef::Env("A".into()));
        assert_eq!(parse(r#"{"file":"/a"}"#).unwrap(), SecretRef::File("/a".into()));
        assert!(parse(r#"{"env":"A","file":"/a"}"#).is_err());
        assert!(parse(r#"{"fiel":"/a"}"#).is_err());
        assert!(!parse(r#""hunter2""#).unwrap_err().contains("hunter2"));
    }
}
