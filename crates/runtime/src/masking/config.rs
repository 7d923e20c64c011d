//! The `[masking]` table of the configuration. What its words come to is decided beside it.

use std::collections::BTreeMap;
use std::fmt;

use portcullis_core::masking::Detector;
use portcullis_core::secret::SecretRef;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use toml::Spanned;

/// What is masked in the replies of targets, for everybody whom policy does not permit the action
/// `reveal` on the tag. Without this table nothing is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The targets that this table is about, by name, with `*` and `?`. Without it, all of them.
    #[schemars(with = "Option<Vec<String>>")]
    pub targets: Option<Vec<Spanned<String>>>,
    /// The key of keyed hashes, of at least 16 bytes; needed where a style is `hash`. Gates with the
    /// same key show the same hash for the same value.
    pub key: Option<SecretRef>,
    /// Detectors that look at texts that are not masked as a whole: a list of their names, or
    /// `"all"`. What each finds carries the tag of its name. They are best effort.
    #[schemars(schema_with = "detect_schema")]
    pub detect: Detect,
    /// Columns whose values carry a tag, `[[masking.column]]`.
    pub column: Vec<Column>,
    /// Regular expressions of your own, `[[masking.pattern]]`, for texts that detectors look at.
    pub pattern: Vec<Pattern>,
    /// How values are shown, by tag: `[masking.tags.card]`. Without it they are redacted.
    pub tags: BTreeMap<String, Shown>,
}

/// Columns that carry a tag.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The columns: `schema.table.column`, each part with `*` and `?` as you like, or `*` alone.
    /// Upper and lower case are the same.
    #[schemars(with = "String")]
    pub r#match: Spanned<String>,
    /// What their values carry: a name of your own, or a detector's.
    pub tag: String,
    /// The targets that have these columns, by name, with `*` and `?`. Without it, all of them.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub targets: Option<Vec<Spanned<String>>>,
}

/// A regular expression of one's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The expression, in the syntax of Rust's `regex`. What it is satisfied with is masked.
    #[schemars(with = "String")]
    pub regex: Spanned<String>,
    /// What its findings carry: a name of your own, or a detector's.
    pub tag: String,
}

/// How values of one tag are shown.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// What stands in a value's place. A value whose type has no room for it is null.
    pub style: StyleName,
    /// For `partial`: how many characters at the end stay, though never more than half of them.
    #[serde(default)]
    pub keep: Option<u8>,
}

/// What stands in a value's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StyleName {
    /// `[masked]`.
    Redact,
    /// Stars and the last characters.
    Partial,
    /// The tag and a keyed hash, the same for the same value, so that joins still work.
    Hash,
    /// Null; within a text, `[masked]`.
    Null,
}

/// The detectors that are switched on.
#[derive(Debug)]
pub enum Detect {
    /// All there are.
    All,
    /// Those with these names.
    These(Vec<Spanned<String>>),
}

impl Default for Detect {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Detect {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Detect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of detectors, or `\"all\"`")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Detect, E> {
        if word == "all" { Ok(Detect::All) } else { Err(E::custom("expected a list of detectors, or `\"all\"`")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Detect, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = list.next_element()? {
            names.push(name);
        }
        Ok(Detect::These(names))
    }
}

fn detect_schema(_: &mut SchemaGenerator) -> Schema {
    let names = Detector::ALL.map(Detector::name);
    json_schema!({
        "oneOf": [{ "const": "all" }, { "type": "array", "items": { "enum": names } }],
        "default": [],
    })
}
