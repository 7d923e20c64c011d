//! Where a value in a reply comes from, as far as the protocol can prove it, and what may stand there.

use super::Tags;

/// A value's place in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Tags by origin, whether this session may see them or not: a value is masked as a whole where
    /// one of them is hidden. Empty means that the origin is proven clean.
    pub tags: Tags,
    /// What may stand in the value's place.
    pub kind: Kind,
    /// Whether detectors look at a value that is not masked as a whole. Its bytes are then the
    /// value's text form.
    pub scan: bool,
}

impl Field {
    /// A text that is proven to carry nothing sensitive by origin, and is not looked at.
    pub const CLEAN: Self = Self { tags: Tags::NONE, kind: Kind::Text, scan: false };
    /// A text of no particular origin that detectors look at: messages, notices.
    pub const TEXT: Self = Self { tags: Tags::NONE, kind: Kind::Text, scan: true };
}

/// What may stand in the place of a value, so that masked values keep their type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Any text.
    Text,
    /// One JSON value. What is masked becomes a JSON string, or `null`.
    Json,
    /// Only what a type with a form of its own allows (integer, date, uuid, bytes): a masked value
    /// is null, whatever its tag's style.
    Fixed,
}
