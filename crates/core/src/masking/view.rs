//! What one session sees under one revision of the policies: the rules less what is revealed to it.

use std::sync::Arc;

use super::rules::Compiled;
use super::tags::MAX_TAGS;
use super::{Field, Kind, Masked, Rules, Tag, Tags, json, render};

/// The rules of a target, less the tags that a session may see. Sessions that have nothing to mask
/// have no view at all.
#[derive(Debug)]
pub struct View {
    rules: Rules,
    compiled: Arc<Compiled>,
    hidden: Tags,
}

impl View {
    /// The view that hides these tags; `None` where there is nothing to hide.
    pub(crate) fn new(rules: &Rules, hidden: Tags) -> Option<Arc<Self>> {
        let compiled = Arc::clone(rules.compiled()?);
        (!hidden.is_empty()).then(|| Arc::new(Self { rules: rules.clone(), compiled, hidden }))
    }

    /// The rules as they are for everybody: what a plan that outlives this view is made from.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Of these tags, those that this session may not see.
    pub const fn hidden(&self, tags: Tags) -> Tags {
        tags.intersection(self.hidden)
    }

    /// The hidden tags of a column. It compares the name with every pattern: ask once for each
    /// plan, not for each value.
    pub fn tags_of(&self, schema: &str, table: &str, column: &str) -> Tags {
        self.hidden(self.rules.tags_of(schema, table, column))
    }

    /// All hidden tags that columns of a table may carry: what a value made of this table in a way
    /// that nobody can follow must be taken for.
    pub fn tags_in(&self, schema: &str, table: &str) -> Tags {
        self.hidden(self.rules.tags_in(schema, table))
    }

    /// Whether a column of this table may be hidden.
    pub fn any_in(&self, schema: &str, table: &str) -> bool {
        !self.tags_in(schema, table).is_empty()
    }

    /// All hidden tags that any column may carry: what a value of unproven origin must be taken for.
    pub fn all(&self) -> Tags {
        self.hidden(self.rules.all())
    }

    /// Whether texts have to be looked at for hidden values.
    pub fn scans(&self) -> bool {
        !self.hidden(self.rules.detected()).is_empty()
    }

    /// Shows a value as this session may see it, and counts what it does not see.
    pub(crate) fn mask<'v>(&self, field: &Field, value: &'v [u8], counts: &mut Counts) -> Masked<'v> {
        let tags = self.hidden(field.tags);
        if !tags.is_empty() {
            counts.add(tags);
            return render::whole(&self.compiled, tags, field.kind, value);
        }
        if !field.scan || !self.scans() {
            return Masked::clear(value);
        }
        match field.kind {
            Kind::Json => json::mask(&self.compiled, self.hidden, value, counts),
            Kind::Text | Kind::Fixed => render::scanned(&self.compiled, self.hidden, field.kind, value, counts),
        }
    }

    /// What was counted, by the names of the tags.
    pub(crate) fn named<'a>(&'a self, counts: &Counts) -> impl Iterator<Item = (&'a Tag, u64)> {
        let counted: Vec<_> = counts.all().collect();
        counted.into_iter().flat_map(|(tags, count)| self.compiled.known(tags).map(move |known| (&known.tag, count)))
    }
}

/// How many values were masked, by tag. Takes memory only once there is something to count.
#[derive(Debug, Default)]
pub(crate) struct Counts(Option<Box<[u64; MAX_TAGS]>>);

impl Counts {
    /// Counts one value under each of its tags.
    pub(crate) fn add(&mut self, tags: Tags) {
        let counts = self.0.get_or_insert_with(|| Box::new([0; MAX_TAGS]));
        for number in tags.numbers() {
            if let Some(count) = counts.get_mut(number) {
                *count = count.saturating_add(1);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = (Tags, u64)> {
        let counts = self.0.iter().flat_map(|counts| counts.iter());
        counts.enumerate().filter(|(_, count)| **count > 0).map(|(number, count)| (Tags::one(number), *count))
    }
}
