//! Names: what a query's `FROM` makes visible, and which of it a name means.
//!
//! After PostgreSQL's `parse_relation.c`: the innermost query that has the name wins, a column
//! wins over a row, and a name that two have is an error there, so it is unknown here.

use std::rc::Rc;
use std::sync::Arc;

use super::naming::UNTOLD;
use super::origin::{Columns, Origin, Output};

/// One thing in a query's `FROM`, or what a join of them gives.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The name that it goes by, if any.
    pub(super) name: Option<Arc<str>>,
    /// The schema, where the name is that of a relation and no alias hides it.
    pub(super) schema: Option<Arc<str>>,
    /// Its columns.
    pub(super) columns: Rc<Columns>,
    /// Whether `*` and unqualified names reach its columns. Those of joined items are reached
    /// through the join.
    pub(super) reached: bool,
    /// Whether it has the columns of the system: `ctid` and its like.
    pub(super) has_system_columns: bool,
}

impl Item {
    /// One whose columns are reached by their names alone.
    pub(super) fn new(name: Option<Arc<str>>, columns: Rc<Columns>) -> Self {
        Self { name, schema: None, columns, reached: true, has_system_columns: false }
    }

    /// One whose columns are reached only behind its name.
    pub(super) fn behind(name: &str, columns: Rc<Columns>) -> Self {
        Self { reached: false, ..Self::new(Some(name.into()), columns) }
    }
}

/// What one query's `FROM` makes visible, and the queries around it.
#[derive(Debug)]
pub(super) struct Scope<'p> {
    pub(super) items: Vec<Item>,
    /// The windows that the query names, with what orders and divides them.
    pub(super) windows: Vec<(Arc<str>, Origin)>,
    pub(super) outer: Option<&'p Scope<'p>>,
}

impl<'p> Scope<'p> {
    pub(super) const fn new(items: Vec<Item>, outer: Option<&'p Scope<'p>>) -> Self {
        Self { items, windows: Vec::new(), outer }
    }
}

/// Common table expressions that are visible, and those around them.
#[derive(Debug)]
pub(super) struct Tables<'p> {
    pub(super) tables: Vec<(Arc<str>, Rc<Columns>)>,
    pub(super) outer: Option<&'p Tables<'p>>,
}

/// Where in a statement something stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At<'p> {
    pub(super) scope: Option<&'p Scope<'p>>,
    pub(super) tables: Option<&'p Tables<'p>>,
    /// Whether the text is one that the catalogue stores, whose names are qualified unless they are
    /// PostgreSQL's own.
    pub(super) stored: bool,
}

/// What a name means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A value.
    Value(Origin, bool),
    /// A row, as a whole.
    Row(Rc<Columns>),
    /// No column, but a field of the row, or a function of it that is written like one.
    FieldOf(Rc<Columns>),
}

const AMBIGUOUS: Origin = Origin::Unknown("a name could mean several columns");
const NO_COLUMN: Origin = Origin::Unknown("a name means no column that is known");
const NO_RELATION: Origin = Origin::Unknown("a name means no relation that is visible");

/// The columns that every stored relation has.
const SYSTEM: [&str; 6] = ["tableoid", "ctid", "xmin", "cmin", "xmax", "cmax"];

/// What an item says to a column's name.
enum Has<'i> {
    It(&'i Output),
    Several,
    Maybe(&'i Origin),
    Not,
}

impl Item {
    fn column(&self, name: &str) -> Has<'_> {
        let mut named = self.columns.outputs().filter(|output| *output.name == *name);
        let mut untold = self.columns.outputs().filter(|output| *output.name == *UNTOLD);
        match (named.next(), named.next(), &self.columns.gap, (untold.next(), untold.next())) {
            (Some(output), None, ..) => Has::It(output),
            (Some(_), Some(_), ..) | (None, _, Some(_), (Some(_), _)) | (None, _, _, (_, Some(_))) => Has::Several,
            (None, _, Some(gap), _) => Has::Maybe(gap),
            (None, _, None, (Some(output), _)) => Has::Maybe(&output.origin),
            (None, _, None, (None, _)) => Has::Not,
        }
    }

    fn has_system_column(&self, name: &str) -> bool {
        self.has_system_columns && SYSTEM.contains(&name)
    }

    fn is(&self, schema: Option<&str>, name: &str) -> bool {
        self.name.as_deref() == Some(name) && schema.is_none_or(|schema| self.schema.as_deref() == Some(schema))
    }
}

fn value(output: &Output) -> Meaning {
    Meaning::Value(output.origin.clone(), output.plain)
}

impl<'p> At<'p> {
    pub(super) fn scopes(self) -> impl Iterator<Item = &'p Scope<'p>> {
        std::iter::successors(self.scope, |scope| scope.outer)
    }

    /// The common table expression that a name means.
    pub(super) fn table(self, name: &str) -> Option<Rc<Columns>> {
        let tables = std::iter::successors(self.tables, |tables| tables.outer);
        let mut named = tables.flat_map(|tables| tables.tables.iter().rev().filter(|(table, _)| **table == *name));
        named.next().map(|(_, columns)| Rc::clone(columns))
    }

    /// What an unqualified name means in the innermost query alone, if anything.
    /// A row of unknown width that may have it too does not matter then: the target refuses a name
    /// that two have.
    fn here(scope: &Scope<'_>, name: &str, maybe: &mut Option<Origin>) -> Option<Meaning> {
        let mut found = None;
        let mut maybe_here = maybe.clone();
        for item in scope.items.iter().filter(|item| item.reached) {
            let meaning = match item.column(name) {
                Has::It(output) => value(output),
                Has::Several => return Some(Meaning::Value(AMBIGUOUS, false)),
                _ if item.has_system_column(name) => Meaning::Value(Origin::default(), false),
                Has::Maybe(gap) => {
                    maybe_here.get_or_insert_default().add(gap);
                    continue;
                }
                Has::Not => continue,
            };
            if found.replace(meaning).is_some() {
                return Some(Meaning::Value(AMBIGUOUS, false));
            }
        }
        if found.is_none() {
            *maybe = maybe_here;
        }
        found
    }

    /// The column that a name means in the innermost query, if that has one for certain.
    pub(super) fn own_column(self, name: &str) -> bool {
        self.scope.is_some_and(|scope| Self::here(scope, name, &mut None).is_some())
    }

    /// What an unqualified name means: a column, or else a row.
    pub(super) fn name(self, name: &str) -> Meaning {
        // Rows of unknown width may or may not have it; then it may be any of what it could mean.
        let mut maybe = None;
        let column = self.scopes().find_map(|scope| Self::here(scope, name, &mut maybe));
        let found = column.or_else(|| self.item(None, name).ok().map(|item| Meaning::Row(Rc::clone(&item.columns))));
        match (found, maybe) {
            (Some(found), None) => found,
            (Some(Meaning::Value(origin, _)), Some(maybe)) => Meaning::Value(origin.and(&maybe), false),
            (Some(Meaning::Row(row) | Meaning::FieldOf(row)), Some(maybe)) => {
                Meaning::Value(row.whole().and(&maybe), false)
            }
            (None, Some(maybe)) => Meaning::Value(maybe, false),
            (None, None) => Meaning::Value(NO_COLUMN, false),
        }
    }

    /// What a name behind a relation's name means.
    pub(super) fn name_of(self, schema: Option<&str>, relation: &str, name: &str) -> Meaning {
        let item = match self.item(schema, relation) {
            Ok(item) => item,
            Err(why) => return Meaning::Value(why, false),
        };
        match item.column(name) {
            Has::It(output) => value(output),
            Has::Several => Meaning::Value(AMBIGUOUS, false),
            _ if item.has_system_column(name) => Meaning::Value(Origin::default(), false),
            Has::Maybe(_) | Has::Not => Meaning::FieldOf(Rc::clone(&item.columns)),
        }
    }

    /// The row that a relation's name means.
    pub(super) fn row_of(self, schema: Option<&str>, relation: &str) -> Result<Rc<Columns>, Origin> {
        self.item(schema, relation).map(|item| Rc::clone(&item.columns))
    }

    fn item(self, schema: Option<&str>, name: &str) -> Result<&'p Item, Origin> {
        for scope in self.scopes() {
            let mut named = scope.items.iter().filter(|item| item.is(schema, name));
            match (named.next(), named.next()) {
                (Some(item), None) => return Ok(item),
                (Some(_), Some(_)) => return Err(AMBIGUOUS),
                (None, _) => {}
            }
        }
        Err(NO_RELATION)
    }

    /// What orders and divides the window of this name.
    pub(super) fn window(self, name: &str) -> Origin {
        let named = self.scope.and_then(|scope| scope.windows.iter().rev().find(|(window, _)| **window == *name));
        named.map_or(Origin::Unknown("a window that is not named"), |(_, origin)| origin.clone())
    }
}

/// All that `*` means among these items.
pub(super) fn reached(items: &[Item]) -> Columns {
    let mut all = Columns::default();
    for item in items.iter().filter(|item| item.reached) {
        all.append(&item.columns);
    }
    all
}
