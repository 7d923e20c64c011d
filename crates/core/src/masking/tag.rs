//! The name of a kind of sensitive value.

use std::sync::Arc;

/// The longest name of a tag, in bytes.
const LONGEST: usize = 63;

/// A kind of sensitive value: `email`, `card`, `secret`. Cloning it allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Names a tag. Whether the name can be used in a configuration is for
    /// [`is_valid`](Tag::is_valid) to say.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The tag's name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether the name is one that policies, records and masked values can carry: 1 to 63 of `a`
    /// to `z`, `0` to `9`, `-` and `_`.
    pub fn is_valid(&self) -> bool {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        (1..=LONGEST).contains(&self.0.len()) && self.0.bytes().all(known)
    }
}
