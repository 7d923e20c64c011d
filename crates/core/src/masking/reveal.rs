//! The one question that masking puts to policy: may this identity see what carries this tag?

use crate::operation::{Action, Effect, Effects, Facts, Resource};
use crate::vocabulary::{ActionEntry, ResourceKind, Vocabulary};

use super::Tag;

/// To see values of a tag as they are.
pub const REVEAL: Action = Action::new("reveal");
/// The kind of resource that a tag is, in its target.
pub const TAG: &str = "Tag";

/// The words that masking adds to the policy language, whatever the protocol.
pub const VOCABULARY: &Vocabulary = &Vocabulary {
    family: "masking",
    actions: &[ActionEntry {
        action: REVEAL,
        within: &[],
        applies_to: &[TAG],
        meaning: "To see values that carry the tag as they are. Whoever is not permitted this sees them masked; an \
                  approval does not change that.",
    }],
    resources: &[ResourceKind { name: TAG, parent: None }],
    facts: &[],
};

/// The question whether a tag is revealed, made once for each tag of a configuration.
pub(super) fn effects(tag: &Tag) -> Effects {
    Effects::new(vec![Effect { action: REVEAL, resource: Resource::new(TAG, [tag.name()]), facts: Facts::new() }])
}
