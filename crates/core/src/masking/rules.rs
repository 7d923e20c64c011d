//! The compiled configuration of masking for one target: tags, where they are, how they are shown.
//!
//! It is made once and never changes. Whom a tag is revealed to is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::hmac;

use super::columns::Column;
use super::detect::{Detector, Scanner};
use super::tags::MAX_TAGS;
use super::{Style, Tag, Tags, View, reveal};
use crate::operation::Effects;
use crate::secret::Secret;

/// Patterns of columns in one configuration.
pub const MAX_COLUMNS: usize = 4_096;
/// The shortest key of keyed hashes, in bytes.
pub const SHORTEST_KEY: usize = 16;

/// What a configuration says of masking.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Patterns of columns, `schema.table.column`, with the tag that such columns carry.
    pub columns: Vec<(String, Tag)>,
    /// Detectors that look at texts. What each finds carries the tag of its name.
    pub detect: BTreeSet<Detector>,
    /// Regular expressions of one's own, with the tag of what they find.
    pub patterns: Vec<(String, Tag)>,
    /// How values are shown, where it is not [`Style::Redact`].
    pub styles: BTreeMap<Tag, Style>,
    /// The key of keyed hashes; needed where a style is [`Style::Hash`].
    pub key: Option<Secret<Vec<u8>>>,
}

/// Why settings make no rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// The pattern of a column with this index.
    #[error("{what}")]
    Column {
        /// Its place in [`Settings::columns`].
        index: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The regular expression with this index.
    #[error("{what}")]
    Pattern {
        /// Its place in [`Settings::patterns`].
        index: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A tag that cannot be one.
    #[error("{what}")]
    Tag {
        /// The tag.
        tag: Tag,
        /// What is wrong with it.
        what: String,
    },
    /// The key of keyed hashes.
    #[error("{0}")]
    Key(String),
    /// The settings as a whole.
    #[error("{0}")]
    Whole(String),
}

/// The compiled configuration of masking. Cloning it costs a reference count, or nothing where
/// nothing is configured.
#[derive(Debug, Clone, Default)]
pub struct Rules(Option<Arc<Compiled>>);

/// What rules hold when there are any.
pub(super) struct Compiled {
    tags: Vec<Known>,
    columns: Vec<Column>,
    in_columns: Tags,
    in_texts: Tags,
    pub(super) scanner: Scanner,
    pub(super) key: Option<hmac::Key>,
}

/// One tag of a configuration.
pub(super) struct Known {
    pub(super) tag: Tag,
    pub(super) style: Style,
    pub(super) reveal: Effects,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("tags", &self.tags.len()).field("columns", &self.columns.len()).finish()
    }
}

impl Rules {
    /// Rules that mask nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Compiles settings. Settings that name neither column nor detector nor pattern mask nothing.
    pub fn new(settings: &Settings) -> Result<Self, RulesError> {
        if settings.columns.len() > MAX_COLUMNS {
            return Err(RulesError::Whole(format!("there are more than {MAX_COLUMNS} patterns of columns")));
        }
        let tags = known(settings)?;
        let columns = columns(settings, &tags)?;
        let (scanner, in_texts) = scanner(settings, &tags)?;
        let key = key(settings, &tags)?;
        if columns.is_empty() && in_texts.is_empty() {
            return Ok(Self::none());
        }
        let in_columns = columns.iter().map(|column| column.tags).collect();
        Ok(Self(Some(Arc::new(Compiled { tags, columns, in_columns, in_texts, scanner, key }))))
    }

    /// Whether nothing is masked.
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The tags of a column, hidden or not.
    pub fn tags_of(&self, schema: &str, table: &str, column: &str) -> Tags {
        let all = self.0.iter().flat_map(|compiled| &compiled.columns);
        all.filter(|own| own.is(schema, table, column)).map(|own| own.tags).collect()
    }

    /// All tags that columns of a table may carry.
    pub fn tags_in(&self, schema: &str, table: &str) -> Tags {
        let all = self.0.iter().flat_map(|compiled| &compiled.columns);
        all.filter(|own| own.is_in(schema, table)).map(|own| own.tags).collect()
    }

    /// All tags that any column may carry: what a value of unproven origin must be taken for.
    pub fn all(&self) -> Tags {
        self.0.as_ref().map_or(Tags::NONE, |compiled| compiled.in_columns)
    }

    /// The view of one from whom everything is hidden: what a statement touches is found by it. `None`
    /// where nothing is masked.
    pub fn hiding_everything(&self) -> Option<Arc<View>> {
        View::new(self, self.all() | self.detected())
    }

    /// All tags that detectors and patterns look for.
    pub fn detected(&self) -> Tags {
        self.0.as_ref().map_or(Tags::NONE, |compiled| compiled.in_texts)
    }

    /// The tags of a set by name.
    pub fn names(&self, tags: Tags) -> impl Iterator<Item = &Tag> {
        tags.numbers().filter_map(|number| self.0.as_ref()?.tags.get(number)).map(|known| &known.tag)
    }

    /// Each tag with the question whether it is revealed.
    pub(crate) fn questions(&self) -> impl Iterator<Item = (Tags, &Effects)> {
        let all = self.0.iter().flat_map(|compiled| &compiled.tags);
        all.enumerate().map(|(number, known)| (Tags::one(number), &known.reveal))
    }

    pub(super) fn compiled(&self) -> Option<&Arc<Compiled>> {
        self.0.as_ref()
    }
}

impl Compiled {
    pub(super) fn known(&self, tags: Tags) -> impl Iterator<Item = &Known> {
        tags.numbers().filter_map(|number| self.tags.get(number))
    }
}

/// All tags that the settings name, each once, in the order of their names.
fn known(settings: &Settings) -> Result<Vec<Known>, RulesError> {
    let mut tags: BTreeSet<Tag> =
        settings.columns.iter().chain(&settings.patterns).map(|(_, tag)| tag.clone()).collect();
    tags.extend(settings.detect.iter().map(|detector| Tag::new(detector.name())));
    if let Some(tag) = tags.iter().find(|tag| !tag.is_valid()) {
        let what = String::from("a tag has 1 to 63 of `a` to `z`, `0` to `9`, `-` and `_`");
        return Err(RulesError::Tag { tag: tag.clone(), what });
    }
    if let Some(tag) = settings.styles.keys().find(|tag| !tags.contains(tag)) {
        let what = format!("nothing carries the tag `{}`: no column, detector or pattern", tag.name());
        return Err(RulesError::Tag { tag: tag.clone(), what });
    }
    if tags.len() > MAX_TAGS {
        return Err(RulesError::Whole(format!("there are more than {MAX_TAGS} tags")));
    }
    let known = |tag: Tag| {
        let style = settings.styles.get(&tag).copied().unwrap_or_default();
        Known { style, reveal: reveal::effects(&tag), tag }
    };
    Ok(tags.into_iter().map(known).collect())
}

fn number(tags: &[Known], name: &str) -> Tags {
    tags.iter().position(|known| known.tag.name() == name).map_or(Tags::NONE, Tags::one)
}

fn columns(settings: &Settings, tags: &[Known]) -> Result<Vec<Column>, RulesError> {
    let mut columns = Vec::with_capacity(settings.columns.len());
    for (index, (pattern, tag)) in settings.columns.iter().enumerate() {
        let column = Column::new(pattern, number(tags, tag.name()));
        columns.push(column.map_err(|what| RulesError::Column { index, what })?);
    }
    Ok(columns)
}

fn scanner(settings: &Settings, tags: &[Known]) -> Result<(Scanner, Tags), RulesError> {
    let detectors: Vec<_> = settings.detect.iter().map(|one| (*one, number(tags, one.name()))).collect();
    let patterns: Vec<_> =
        settings.patterns.iter().map(|(pattern, tag)| (pattern.as_str(), number(tags, tag.name()))).collect();
    let all = detectors.iter().map(|(_, tag)| *tag).chain(patterns.iter().map(|(_, tag)| *tag)).collect();
    let scanner = Scanner::new(&detectors, &patterns)?;
    Ok((scanner, all))
}

fn key(settings: &Settings, tags: &[Known]) -> Result<Option<hmac::Key>, RulesError> {
    let hashed = tags.iter().find(|known| known.style == Style::Hash);
    match (&settings.key, hashed) {
        (None, Some(known)) => {
            Err(RulesError::Key(format!("the style of `{}` is a keyed hash, and there is no key", known.tag.name())))
        }
        (Some(key), _) if key.expose().len() < SHORTEST_KEY => {
            Err(RulesError::Key(format!("the key of keyed hashes has at least {SHORTEST_KEY} bytes")))
        }
        (key, _) => Ok(key.as_ref().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.expose()))),
    }
}
