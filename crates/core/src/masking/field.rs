//! Where a value in a reply comes from, as far as the protocol can prove it.

use super::Tag;

/// A value's place in a reply, with the tags that its place carries.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// Tags by origin: columns, paths. Empty means that the origin is proven clean.
    pub tags: &'a [Tag],
}

impl Field<'_> {
    /// A field that is proven to carry nothing sensitive by origin.
    pub const CLEAN: Field<'static> = Field { tags: &[] };
}
