//! The name of a kind of sensitive value.

/// A kind of sensitive value: `email`, `card`, `secret`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct Tag(Box<str>);

impl Tag {
    /// Names a tag.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The tag's name.
    pub fn name(&self) -> &str {
        &self.0
    }
}
