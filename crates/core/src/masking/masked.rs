//! The proof that a value went through masking: only such values reach a client or a record.

use std::borrow::Cow;

/// A value that went through [`Permit::mask`](crate::permit::Permit::mask).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked<'v>(Shown<'v>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown<'v> {
    /// As it came.
    Clear(&'v [u8]),
    /// Something else, or with something else in parts of it.
    Changed(Cow<'static, [u8]>),
    /// The protocol's null.
    Null,
}

impl<'v> Masked<'v> {
    /// What the whole text of a redacted value is.
    pub const REDACTED: &'static str = "[masked]";

    pub(crate) const fn clear(value: &'v [u8]) -> Self {
        Self(Shown::Clear(value))
    }

    pub(crate) const fn null() -> Self {
        Self(Shown::Null)
    }

    pub(crate) fn changed(shown: impl Into<Cow<'static, [u8]>>) -> Self {
        Self(Shown::Changed(shown.into()))
    }

    /// The bytes that may be shown; `None` where the protocol's null must stand.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Shown::Clear(value) => Some(value),
            Shown::Changed(value) => Some(value),
            Shown::Null => None,
        }
    }

    /// The bytes that may be shown, without a copy where it is the value as it came; `None` where the
    /// protocol's null must stand.
    pub fn into_bytes(self) -> Option<Cow<'v, [u8]>> {
        match self.0 {
            Shown::Clear(value) => Some(Cow::Borrowed(value)),
            Shown::Changed(value) => Some(value),
            Shown::Null => None,
        }
    }

    /// Whether it is the value as it came, so that it can be passed on where it lies.
    pub const fn is_clear(&self) -> bool {
        matches!(self.0, Shown::Clear(_))
    }

    /// The bytes as text, for records: what is not UTF-8 becomes U+FFFD, and null is empty.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes().unwrap_or_default())
    }
}
