//! How principals and resources are named in policies: `Table::"orders-db/shop/public/orders"`.
//!
//! Two different things never have the same name: a `/` inside a part is written `%2F`.

use std::fmt::Write;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use portcullis_core::identity::Identity;

/// Characters of one part of a name that a sentence for people shows.
const SHOWN: usize = 100;

/// Names an entity.
pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// The id of a principal: issuer, `#`, subject. An issuer's URL has no fragment of its own.
pub(super) fn principal(identity: &Identity) -> String {
    format!("{}#{}", identity.issuer.replace('%', "%25").replace('#', "%23"), identity.subject)
}

/// The id of the resource at `path` below `target`.
pub(super) fn below<'p>(target: &str, path: impl IntoIterator<Item = &'p str>) -> String {
    let mut id = String::new();
    escape(target, &mut id);
    for part in path {
        id.push('/');
        escape(part, &mut id);
    }
    id
}

/// The parts of a resource's id, target first.
pub(super) fn parts(id: &str) -> Vec<String> {
    id.split('/').map(|part| part.replace("%2F", "/").replace("%25", "%")).collect()
}

/// A path for people, in a sentence: bounded, without control characters.
pub(super) fn shown<'p>(path: impl IntoIterator<Item = &'p str>) -> String {
    let mut text = String::new();
    for part in path {
        if !text.is_empty() {
            text.push('/');
        }
        text.extend(part.chars().take(SHOWN).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }));
        if part.chars().nth(SHOWN).is_some() {
            text.push('…');
        }
    }
    text
}

fn escape(part: &str, id: &mut String) {
    for c in part.chars() {
        match c {
            '/' | '%' => {
                let _ = write!(id, "%{:02X}", u32::from(c));
            }
            _ => id.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{below, parts};

    #[test]
    fn different_paths_have_different_names() {
        assert_eq!(below("shop", ["a/b", "c"]), "shop/a%2Fb/c");
        assert_eq!(below("shop", ["a", "b/c"]), "shop/a/b%2Fc");
        assert_eq!(below("shop", ["a%2Fb"]), "shop/a%252Fb");
    }

    #[test]
    fn parts_are_what_the_name_was_made_of() {
        for path in [vec!["shop", "a/b", "c"], vec!["s%p", "%2F", "25%"], vec!["shop"]] {
            let id = below(path[0], path[1..].iter().copied());
            assert_eq!(parts(&id), path);
        }
    }
}
