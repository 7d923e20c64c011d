//! How a masked value is shown.

/// How a masked value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Replaced by a fixed text.
    Redact,
    /// All but the last `keep` characters replaced.
    Partial {
        /// How many characters stay.
        keep: u8,
    },
    /// Replaced by a keyed hash, the same for the same value, so that joins still work.
    Hash,
    /// Replaced by the protocol's null.
    Null,
}
