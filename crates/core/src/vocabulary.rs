//! The vocabulary of a protocol family: which actions exist, which kinds of resource, which facts.
//!
//! A policy engine builds its schema from this; it does not know what any of the words mean.

/// An action that a policy can name, such as `sql:read`.
///
/// Actions form a forest: a rule about `sql:write` also governs `sql:delete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Action(&'static str);

impl Action {
    /// Names an action. The name carries its family as a prefix: `sql:read`, `ssh:exec`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The action's name as policies write it.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// One action of a vocabulary, with the actions that include it and the resources it applies to.
#[derive(Debug, Clone, Copy)]
pub struct ActionEntry {
    /// The action itself.
    pub action: Action,
    /// Wider actions: a rule about one of these governs this one too.
    pub within: &'static [Action],
    /// The kinds of resource that the action applies to. Every wider action must list them as well.
    pub applies_to: &'static [&'static str],
    /// What the action means, for generated documentation.
    pub meaning: &'static str,
}

/// One kind of resource, with the kind that contains it; `None` means directly in the target.
#[derive(Debug, Clone, Copy)]
pub struct ResourceKind {
    /// The kind's name as policies write it, such as `Table`.
    pub name: &'static str,
    /// The kind of its container.
    pub parent: Option<&'static str>,
}

/// The type of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactType {
    /// True or false; false where an effect does not state it.
    Bool,
    /// A whole number; 0 where an effect does not state it.
    Long,
    /// A text; empty where an effect does not state it.
    Text,
    /// A set of texts; empty where an effect does not state it.
    Texts,
}

/// One fact that policies may read as `context.NAME`.
#[derive(Debug, Clone, Copy)]
pub struct FactEntry {
    /// The fact's name.
    pub name: &'static str,
    /// Its type.
    pub kind: FactType,
    /// What it says, for generated documentation.
    pub meaning: &'static str,
}

/// All the words that one protocol family adds to the policy language.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// The family's name: the prefix of its actions.
    pub family: &'static str,
    /// Its actions.
    pub actions: &'static [ActionEntry],
    /// Its kinds of resource.
    pub resources: &'static [ResourceKind],
    /// Its facts. Each is always present in the context of the family's actions.
    pub facts: &'static [FactEntry],
}

/// The kind of resource that every vocabulary has: the protected service itself.
pub const TARGET: &str = "Target";
