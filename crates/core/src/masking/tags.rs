//! A set of tags of one configuration.

/// How many tags one configuration may have.
pub const MAX_TAGS: usize = 64;

/// A set of the tags of one [`Rules`](super::Rules): one word of memory, so it is copied and
/// joined freely. It means nothing to other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tags(u64);

impl Tags {
    /// No tag: what carries it is proven clean.
    pub const NONE: Self = Self(0);

    /// The tag with this number; none where there can be no such tag.
    pub(super) fn one(number: usize) -> Self {
        Self(u32::try_from(number).ok().and_then(|number| 1_u64.checked_shl(number)).unwrap_or(0))
    }

    /// Whether there is no tag in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many tags are in it.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The tags of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The tags of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The tags of this one that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The numbers of its tags.
    pub(super) fn numbers(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let number = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            usize::try_from(number).ok()
        })
    }
}

impl std::ops::BitOr for Tags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl std::ops::BitOrAssign for Tags {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl FromIterator<Self> for Tags {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, Self::union)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_TAGS, Tags};

    #[test]
    fn a_set_has_the_tags_that_were_put_in() {
        let numbers = [0, 1, 31, 32, MAX_TAGS - 1];
        let tags: Tags = numbers.into_iter().map(Tags::one).collect();
        assert_eq!(tags.numbers().collect::<Vec<_>>(), numbers);
        assert_eq!(tags.count(), 5);
        assert_eq!(tags.without(Tags::one(31)).intersection(Tags::one(31) | Tags::one(1)), Tags::one(1));
        assert!(Tags::one(MAX_TAGS).is_empty() && Tags::NONE.numbers().next().is_none());
    }
}
