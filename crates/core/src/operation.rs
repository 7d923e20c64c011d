//! Operations and their effects: what is asked, and what it would do to what.
//!
//! Protocols translate their messages into these words in `classify.rs`; policy and recording read
//! them. Nothing here knows how an effect was found.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::masking::Tags;
pub use crate::vocabulary::Action;

/// The value of a fact about an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Fact {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(Box<str>),
    /// A set of texts, sorted and without repeats.
    Texts(Vec<Box<str>>),
}

/// Facts by name. The names and types are those of the family's [`Vocabulary`](crate::vocabulary::Vocabulary).
pub type Facts = BTreeMap<&'static str, Fact>;

/// What an effect touches: a node in the tree below the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// The kind, as the vocabulary names it: `Table`, `Schema`, or `Target` for the target itself.
    pub kind: &'static str,
    /// Names from the target downwards, without the target: `["shop", "public", "orders"]`.
    pub path: Vec<Box<str>>,
}

impl Resource {
    /// The target itself.
    pub const fn target() -> Self {
        Self { kind: crate::vocabulary::TARGET, path: Vec::new() }
    }

    /// A resource of `kind` at `path` below the target.
    pub fn new(kind: &'static str, path: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self { kind, path: path.into_iter().map(Into::into).collect() }
    }
}

/// What an operation does to one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The action.
    #[serde(serialize_with = "action_name")]
    pub action: Action,
    /// What it is done to.
    pub resource: Resource,
    /// What policy may want to know about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: Facts,
}

fn action_name<S: serde::Serializer>(action: &Action, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(action.name())
}

/// All effects of one operation, shared between its repetitions.
///
/// Building this costs a serialisation and a SHA-256; cloning costs nothing. Caches key decisions
/// by [`digest`](Effects::digest), so equal effects are decided once.
#[derive(Debug, Clone)]
pub struct Effects(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    list: Vec<Effect>,
    json: Box<RawValue>,
    digest: [u8; 32],
}

impl Effects {
    /// Puts effects together. An empty list is legal and means that nothing could be found out;
    /// the pipeline refuses it.
    pub fn new(list: Vec<Effect>) -> Self {
        let json = serde_json::value::to_raw_value(&list).unwrap_or_default();
        let mut sum = [0; 32];
        sum.copy_from_slice(digest::digest(&digest::SHA256, json.get().as_bytes()).as_ref());
        Self(Arc::new(Inner { list, json, digest: sum }))
    }

    /// The effects, in the order in which the operation states them.
    pub fn list(&self) -> &[Effect] {
        &self.0.list
    }

    /// The effects as a JSON array, made once.
    pub fn json(&self) -> &RawValue {
        &self.0.json
    }

    /// SHA-256 over [`json`](Effects::json).
    pub fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }
}

/// One thing that a client asks, in its protocol's own unit.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// The protocol's name for the message: `Query`, `Execute`, `connect`, `cancel`.
    pub kind: &'static str,
    /// The exact bytes that say what is asked, and that an approval is bound to.
    pub statement: &'a [u8],
    /// Values that the statement is run with.
    pub parameters: Parameters<'a>,
    /// What it would do.
    pub effects: &'a Effects,
    /// The account on the target under which it runs.
    pub account: &'a str,
    /// It is part of a transaction that is open already, which may hold locks.
    pub in_transaction: bool,
    /// Tags of values that it would store where nothing hides them, as far as that is proven. Who may
    /// not see them may not do that either, unless an approval allows it.
    pub carries: Tags,
}

/// What is known of the values bound to a statement.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Parameters<'a> {
    /// How many there are.
    pub count: usize,
    /// The protocol's identifiers of their types, where it states them (Postgres: type OIDs).
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    pub types: &'a [u32],
    /// The values as an approver reads them, one way to write each: an approval is bound to these
    /// bytes. Empty where nobody has to be asked; never recorded.
    #[serde(skip)]
    pub values: &'a [u8],
}
