//! Origins: what a value is computed from, and what a statement returns, looks at and hands on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A column of a relation of the target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnName {
    /// The relation's schema.
    pub schema: Arc<str>,
    /// The relation.
    pub relation: Arc<str>,
    /// The column.
    pub column: Arc<str>,
}

/// What a value is computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From these columns and what the statement itself says, and proven so. No columns at all:
    /// constants, parameters, the time, the number of rows.
    Columns(BTreeSet<ColumnName>),
    /// It cannot be proven, for this reason. It may be computed from anything.
    Unknown(&'static str),
}

impl Default for Origin {
    fn default() -> Self {
        Self::Columns(BTreeSet::new())
    }
}

impl Origin {
    /// Whether it is proven that the value is computed from no column.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Columns(columns) if columns.is_empty())
    }

    /// Makes it the origin of what is computed from both.
    pub fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Unknown(_), _) => {}
            (_, Self::Unknown(why)) => *self = Self::Unknown(why),
            (Self::Columns(mine), Self::Columns(others)) => mine.extend(others.iter().cloned()),
        }
    }

    /// The origin of what is computed from this and `other`.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.add(other);
        self
    }

    pub(super) fn column(schema: &Arc<str>, relation: &Arc<str>, column: &Arc<str>) -> Self {
        let (schema, relation, column) = (Arc::clone(schema), Arc::clone(relation), Arc::clone(column));
        Self::Columns(BTreeSet::from([ColumnName { schema, relation, column }]))
    }

    /// About how much work it is to add it to another one.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Columns(columns) => columns.len(),
            Self::Unknown(_) => 1,
        }
    }
}

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The name that it has in the result; `*` where that is the name of the first column of a `*`.
    pub name: Arc<str>,
    /// What its value is computed from.
    pub origin: Origin,
    /// Whether its value is that of a stored column, unchanged.
    pub plain: bool,
}

/// The columns of a result.
///
/// How many columns `*` stands for is not always known: a function in FROM may give a row of any
/// width. Then there is a gap, with one origin for all columns in it, between the columns that are
/// counted from the first and those that are counted from the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The columns from the first on.
    pub first: Vec<Output>,
    /// The origin of each of any number of columns after these.
    pub gap: Option<Origin>,
    /// The columns behind the gap. None where there is no gap.
    pub last: Vec<Output>,
}

impl Columns {
    /// The origin of the column at `index`, from 0, of a result that has `count` columns as the
    /// target describes it. Unknown where that does not fit.
    pub fn origin(&self, index: usize, count: usize) -> Origin {
        const MISFIT: Origin = Origin::Unknown("the result has other columns than its statement says");
        let known = self.first.len() + self.last.len();
        if index >= count || known > count || (known < count && self.gap.is_none()) {
            return MISFIT;
        }
        let from_last = (index + self.last.len()).checked_sub(count);
        let output = match from_last {
            Some(n) => self.last.get(n),
            None => self.first.get(index),
        };
        output.map(|output| output.origin.clone()).or_else(|| self.gap.clone()).unwrap_or(MISFIT)
    }

    /// Any number of columns, each with this origin.
    pub(super) fn any(origin: Origin) -> Self {
        Self { gap: Some(origin), ..Self::default() }
    }

    pub(super) fn each(first: Vec<Output>) -> Self {
        Self { first, ..Self::default() }
    }

    /// The columns that are known one by one.
    pub(super) fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.first.iter().chain(&self.last)
    }

    /// What is computed from all of the row.
    pub(super) fn whole(&self) -> Origin {
        let mut whole = self.gap.clone().unwrap_or_default();
        for output in self.outputs() {
            whole.add(&output.origin);
        }
        whole
    }

    pub(super) fn size(&self) -> usize {
        self.outputs().map(|output| 1 + output.origin.size()).sum::<usize>() + 1
    }

    /// Puts another row's columns behind these.
    pub(super) fn append(&mut self, other: &Self) {
        match &mut self.gap {
            None => {
                self.first.extend(other.first.iter().cloned());
                self.gap.clone_from(&other.gap);
                self.last.clone_from(&other.last);
            }
            Some(_) if other.gap.is_none() => self.last.extend(other.first.iter().cloned()),
            Some(gap) => {
                for output in self.last.drain(..).chain(other.first.iter().cloned()) {
                    gap.add(&output.origin);
                }
                gap.add(other.gap.as_ref().unwrap_or(&Origin::default()));
                self.last.clone_from(&other.last);
            }
        }
    }

    /// What comes of this row or that one, by position: set operations and rows of `VALUES`. The
    /// names are those of this one.
    #[must_use]
    pub(super) fn or(mut self, other: &Self) -> Self {
        let count = self.first.len();
        match &mut self.gap {
            None => {
                for (n, mine) in self.first.iter_mut().enumerate() {
                    // The target refuses rows of different widths.
                    mine.plain &= other.gap.is_none() && other.first.get(n).is_some_and(|others| others.plain);
                    mine.origin.add(&other.origin(n, count));
                }
            }
            Some(gap) => {
                gap.add(&other.whole());
                for (n, mine) in self.first.iter_mut().enumerate() {
                    mine.plain = false;
                    mine.origin.add(&other.nth_from_first(n));
                }
                for (n, mine) in self.last.iter_mut().rev().enumerate() {
                    mine.plain = false;
                    mine.origin.add(&other.nth_from_last(n));
                }
            }
        }
        self
    }

    /// What the column at `n`, counted from the first, may be, whatever the width.
    fn nth_from_first(&self, n: usize) -> Origin {
        self.first.get(n).map_or_else(|| self.whole(), |output| output.origin.clone())
    }

    /// The same of the one at `n`, counted from the last.
    fn nth_from_last(&self, n: usize) -> Origin {
        let counted = if self.gap.is_some() { &self.last } else { &self.first };
        counted.iter().rev().nth(n).map_or_else(|| self.whole(), |output| output.origin.clone())
    }

    /// Gives the first columns other names.
    pub(super) fn rename<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        let mut more = Vec::new();
        let mut named = self.first.iter_mut();
        for name in names {
            match (named.next(), &self.gap) {
                (Some(output), _) => output.name = name.into(),
                (None, Some(gap)) => more.push(Output { name: name.into(), origin: gap.clone(), plain: false }),
                (None, None) => {}
            }
        }
        // Which of the last ones a name reaches over the gap to is not known.
        if !more.is_empty() && !self.last.is_empty() {
            let whole = self.whole();
            more.iter_mut().for_each(|output| output.origin = whole.clone());
            self.gap = Some(whole);
            self.last.clear();
        }
        self.first.extend(more);
    }
}

/// Where a value goes that a statement writes or sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// A column of a relation that exists.
    Column(ColumnName),
    /// A column of a relation that the statement makes or that is not known.
    Made {
        /// The relation's schema, where the statement names it.
        schema: Option<Arc<str>>,
        /// The relation.
        relation: Arc<str>,
        /// The column, or `None` where it stands for any of them.
        column: Option<Arc<str>>,
    },
    /// Something else that outlives the statement: a setting, a sequence, a large object, or what a
    /// notification says.
    Elsewhere(&'static str),
}

/// What one statement returns, looks at and hands on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The columns that it returns. None for a statement that returns no rows, and where the target
    /// describes some all the same they are unknown, see [`Columns::origin`].
    pub columns: Columns,
    /// The columns that decide which rows come, or in which order, or what is written.
    pub probes: Origin,
    /// Where it writes what is computed from columns, and which. A column's own value written back
    /// to it and what is computed from no column are left out.
    pub carries: BTreeMap<Destination, Origin>,
    /// For PREPARE and DECLARE: the lineage of what EXECUTE or FETCH will return. Their own lineage
    /// is unknown, for they name a statement that is not in the text.
    pub stored: Option<Box<Lineage>>,
}

impl Lineage {
    /// The lineage of a statement of which nothing is known.
    pub fn unknown(why: &'static str) -> Self {
        let everywhere = Destination::Elsewhere("anywhere");
        Self {
            columns: Columns::any(Origin::Unknown(why)),
            probes: Origin::Unknown(why),
            carries: BTreeMap::from([(everywhere, Origin::Unknown(why))]),
            stored: None,
        }
    }
}
