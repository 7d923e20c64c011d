//! The proof that a value went through masking: only such values reach a client or a record.

use std::borrow::Cow;

/// A value that went through [`Permit::mask`](crate::permit::Permit::mask).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked<'v>(Cow<'v, [u8]>);

impl<'v> Masked<'v> {
    pub(crate) const fn clear(value: &'v [u8]) -> Self {
        Self(Cow::Borrowed(value))
    }

    pub(crate) const fn redacted() -> Self {
        Self(Cow::Borrowed(b"[masked]"))
    }

    /// The bytes that may be shown.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, for records; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}
