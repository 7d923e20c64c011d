//! What an operation is in the words of OCSF: which class, and which of its activities. It goes by the names
//! of actions alone; what it does not know is `Other` with the action's own name.

/// The class of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Class {
    /// Datastore Activity.
    Datastore,
    /// API Activity.
    #[default]
    Api,
}

/// `activity_id` for what the class has no word for.
pub(super) const OTHER: u32 = 99;

impl Class {
    /// By the family of an action.
    pub(super) fn of(action: &str) -> Self {
        if action.starts_with("sql:") { Self::Datastore } else { Self::Api }
    }

    pub(super) const fn uid(self) -> u32 {
        match self {
            Self::Datastore => 6005,
            Self::Api => 6003,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Datastore => "Datastore Activity",
            Self::Api => "API Activity",
        }
    }

    /// `activity_id`, and its caption.
    pub(super) fn activity(self, action: &str) -> (u32, &str) {
        let verb = action.rsplit(':').next().unwrap_or_default();
        match (self, verb) {
            (Self::Datastore, "read" | "select" | "lock" | "copy-out") => (1, "Read"),
            (Self::Datastore, "update" | "alter") => (2, "Update"),
            (Self::Datastore, "connect") => (3, "Connect"),
            (Self::Datastore, "execute") => (4, "Query"),
            (Self::Datastore, "write" | "insert" | "merge" | "copy-in") => (5, "Write"),
            (Self::Datastore, "create") => (6, "Create"),
            (Self::Datastore, "delete" | "truncate" | "drop") => (7, "Delete"),
            (Self::Api, "create") => (1, "Create"),
            (Self::Api, "read" | "get" | "list" | "watch") => (2, "Read"),
            (Self::Api, "update" | "patch") => (3, "Update"),
            (Self::Api, "delete" | "deletecollection") => (4, "Delete"),
            (_, "") => (OTHER, "Unknown"),
            _ => (OTHER, action),
        }
    }
}

/// The action that says most about an operation: the first that is more than looking.
pub(super) fn foremost<'a>(mut actions: impl Iterator<Item = &'a str> + Clone) -> &'a str {
    let first = actions.clone().next();
    let looks = |action: &str| Class::of(action).activity(action).1 == "Read";
    actions.find(|action| !looks(action)).or(first).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Class, foremost};

    #[test]
    fn what_changes_something_says_more_than_what_looks() {
        assert_eq!(foremost(["sql:select", "sql:insert", "sql:delete"].into_iter()), "sql:insert");
        assert_eq!(foremost(["sql:select"].into_iter()), "sql:select");
        assert_eq!(foremost(std::iter::empty()), "");
    }

    #[test]
    fn what_has_no_word_keeps_its_own() {
        for (action, class, activity) in [
            ("sql:truncate", 6005, (7, "Delete")),
            ("sql:grant", 6005, (99, "sql:grant")),
            ("ssh:exec", 6003, (99, "ssh:exec")),
            ("kubernetes:patch", 6003, (3, "Update")),
            ("control:recordings:read", 6003, (2, "Read")),
        ] {
            let found = Class::of(action);
            assert_eq!((found.uid(), found.activity(action)), (class, activity), "{action}");
        }
    }
}
