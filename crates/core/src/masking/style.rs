//! How a masked value is shown.

/// How a masked value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Replaced by a fixed text.
    #[default]
    Redact,
    /// All but the last `keep` characters replaced by `*`, and never less than half of them.
    Partial {
        /// How many characters stay.
        keep: u8,
    },
    /// Replaced by a keyed hash, the same for the same value under the same tag, so that joins
    /// still work.
    Hash,
    /// Replaced by the protocol's null.
    Null,
}

impl Style {
    /// The style of a value with several tags: whatever shows least.
    #[must_use]
    pub(super) fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => Self::Null,
            (Self::Partial { keep: one }, Self::Partial { keep: other }) => Self::Partial { keep: one.min(other) },
            // Two hashes under different tags would join with neither.
            _ => Self::Redact,
        }
    }
}
