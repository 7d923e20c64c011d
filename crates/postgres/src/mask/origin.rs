//! Which tags the columns of a result carry: those of the relation that a value comes from as it is,
//! and for computed values those of everything that they are computed from. What cannot be proven
//! is taken for everything that is tagged. And which tags a statement touches beside its result.

use std::sync::Arc;

use portcullis_core::masking::{Tags, View};
use portcullis_sql::postgres::Settings;
use portcullis_sql::postgres::copy::{CopyOut, Layout};
use portcullis_sql::postgres::lineage::{self, Columns, Destination, Lineage, Missing, Origin, RelationName};

use super::form::Form;
use super::value::Treatment;
use crate::knowledge::Knowledge;
use crate::relations::{Place, Relation, Source, Wanted};
use crate::wire::rows::Column;

/// How many columns a result may have; PostgreSQL stops at 1,664.
const MAX_COLUMNS: usize = 2_000;

/// The statement whose rows they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) settings: Settings,
    /// Which of the text's statements.
    pub(crate) statement: usize,
    /// Whether it writes: what it returns then may be what it has written, of whatever origin, though
    /// the target says only in which column it stands now.
    pub(crate) writes: bool,
}

/// What is done with each column, or what has to be looked up first.
pub(crate) type Result = std::result::Result<Vec<Treatment>, Wanted>;

/// What is done with each column where nothing of a result could be found out.
pub(crate) fn worst(count: usize, view: &View) -> Vec<Treatment> {
    vec![Treatment { tags: view.all(), scan: view.scans(), form: Form::Opaque }; count.min(MAX_COLUMNS)]
}

/// What is done with each column that the target describes.
pub(crate) fn treatments(columns: &[Column], asked: Option<Asked<'_>>, known: &Arc<Knowledge>, view: &View) -> Result {
    let mut tracing = Tracing { known, view, wanted: Wanted::default() };
    let computed = columns.iter().any(|column| column.relation == 0);
    let writes = asked.is_none_or(|asked| asked.writes);
    let lineage = asked.filter(|_| computed || writes).map(|asked| tracing.lineage(asked));
    let mut treatments = Vec::with_capacity(columns.len());
    for (place, column) in columns.iter().enumerate() {
        let mut tags = Tags::NONE;
        if column.relation != 0 {
            tags |= tracing.stored(column.relation, column.attribute);
        }
        if column.relation == 0 || writes {
            let origin = lineage.as_ref().map(|lineage| lineage.origin(place, columns.len()));
            tags |= origin.map_or_else(|| view.all(), |origin| tracing.tags(&origin));
        }
        treatments.push(Treatment { tags, scan: view.scans(), form: Form::of(column) });
    }
    tracing.or_wanted(treatments)
}

/// What is done with each of `count` columns that a COPY writes.
pub(crate) fn copied(copy: &CopyOut, count: usize, asked: Asked<'_>, known: &Arc<Knowledge>, view: &View) -> Result {
    let mut tracing = Tracing { known, view, wanted: Wanted::default() };
    let lineage = tracing.lineage(asked);
    let types = copy.relation.as_ref().map(|copied| {
        let relation = tracing
            .named(&RelationName { schema: copied.schema.as_deref().map(Into::into), name: (&*copied.name).into() });
        relation.map(|relation| types(&relation, &copied.columns)).unwrap_or_default()
    });
    let binary = copy.layout == Layout::Binary;
    let treatments = (0..count.min(MAX_COLUMNS)).map(|place| {
        let kind = types.as_ref().and_then(|types| types.get(place).copied());
        // Without a type nothing but NULL is sure to be readable where a value is masked.
        let form = kind.map_or(if binary { Form::Opaque } else { Form::Literal }, |kind| Form::of_type(kind, binary));
        Treatment { tags: tracing.tags(&lineage.origin(place, count)), scan: view.scans(), form }
    });
    let treatments = treatments.collect();
    tracing.or_wanted(treatments)
}

/// The types of the columns that are copied: those that are named, or all that are not generated.
fn types(relation: &Relation, named: &[Box<str>]) -> Vec<u32> {
    let all = relation.columns.iter();
    if named.is_empty() {
        return all.filter(|column| column.generated.is_none()).map(|column| column.kind).collect();
    }
    let kind = |name: &str| relation.columns.iter().find(|column| *column.name == *name).map(|column| column.kind);
    named.iter().map_while(|name| kind(name)).collect()
}

/// Tags that a statement touches beside what it returns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touched {
    /// Of what decides which rows are read or written.
    pub(crate) probes: Tags,
    /// Of what it stores where nothing gives it these tags.
    pub(crate) carries: Tags,
    /// The same, of what cannot be proven.
    pub(crate) may_carry: Tags,
}

impl Touched {
    /// Nothing could be found out.
    pub(crate) fn unproven(view: &View) -> Self {
        Self { probes: view.all(), carries: Tags::NONE, may_carry: view.all() }
    }

    pub(crate) const fn is_nothing(&self) -> bool {
        self.probes.is_empty() && self.carries.is_empty() && self.may_carry.is_empty()
    }
}

/// What the statements of a text touch, or what has to be looked up first.
pub(crate) fn touched(
    text: &[u8],
    settings: Settings,
    known: &Arc<Knowledge>,
    view: &View,
) -> std::result::Result<Touched, Wanted> {
    let mut tracing = Tracing { known, view, wanted: Wanted::default() };
    let mut touched = Touched { probes: Tags::NONE, carries: Tags::NONE, may_carry: Tags::NONE };
    for statement in tracing.lineages(text, settings) {
        // What is stored under a name now is run under it later, when its text is not there any more.
        for lineage in std::iter::successors(Some(&statement), |lineage| lineage.stored.as_deref()) {
            touched.probes |= tracing.tags(&lineage.probes);
            for (to, origin) in &lineage.carries {
                let tags = tracing.tags(origin).without(tracing.tags_at(to));
                match origin {
                    Origin::Columns(_) => touched.carries |= tags,
                    Origin::Unknown(_) => touched.may_carry |= tags,
                }
            }
        }
    }
    tracing.or_wanted(touched)
}

struct Tracing<'a> {
    known: &'a Arc<Knowledge>,
    view: &'a View,
    wanted: Wanted,
}

impl Tracing<'_> {
    fn or_wanted<T>(self, found: T) -> std::result::Result<T, Wanted> {
        if self.wanted.is_empty() { Ok(found) } else { Err(self.wanted) }
    }

    /// The columns of a statement's result.
    fn lineage(&mut self, asked: Asked<'_>) -> Columns {
        let statement = self.lineages(asked.text, asked.settings).into_iter().nth(asked.statement);
        statement.map_or_else(Columns::default, |statement| statement.columns)
    }

    /// Each statement of a text.
    fn lineages(&mut self, text: &[u8], settings: Settings) -> Vec<Lineage> {
        let catalogue: Arc<dyn lineage::Catalogue> = Arc::clone(self.known) as _;
        let traced = lineage::lineage(text, settings, &catalogue);
        for missing in traced.missing {
            match missing {
                Missing::Relation(name) => self.known.want_relation(&name, &mut self.wanted),
                Missing::Callable(callable) => self.known.want_code(&callable, &mut self.wanted),
            }
        }
        traced.statements
    }

    /// The tags that a value has where it is stored.
    fn tags_at(&mut self, to: &Destination) -> Tags {
        match to {
            Destination::Column(column) => {
                let place = Place::new(&*column.schema, &*column.relation);
                match self.known.at(&place) {
                    Some(Some(relation)) => self.own(&relation, &column.column),
                    _ => self.view.tags_of(&place.schema, &place.name, &column.column),
                }
            }
            Destination::Made { schema, relation, column: Some(column) } => match schema {
                Some(schema) => self.view.tags_of(schema, relation, column),
                // It has the tags only if it has them wherever it may be made.
                None => {
                    let tags =
                        self.known.path.creation().into_iter().map(|at| self.view.tags_of(&at, relation, column));
                    tags.reduce(Tags::intersection).unwrap_or(Tags::NONE)
                }
            },
            Destination::Made { column: None, .. } | Destination::Elsewhere(_) => Tags::NONE,
        }
    }

    /// The tags of what is computed from an origin.
    fn tags(&mut self, origin: &Origin) -> Tags {
        let Origin::Columns(columns) = origin else { return self.view.all() };
        let mut tags = Tags::NONE;
        for column in columns {
            let place = Place::new(&*column.schema, &*column.relation);
            tags |= match self.known.at(&place) {
                Some(Some(relation)) => self.own(&relation, &column.column),
                // What lineage has found in it was found under this name.
                Some(None) => self.view.tags_of(&place.schema, &place.name, &column.column),
                None => {
                    self.wanted.places.insert(place);
                    self.view.all()
                }
            };
        }
        tags
    }

    /// The tags of a relation's attribute, as the target names it.
    fn stored(&mut self, relation: u32, attribute: i16) -> Tags {
        // What PostgreSQL keeps of every row for itself: its place, its transactions.
        if attribute < 0 {
            return Tags::NONE;
        }
        let relation = match self.known.with_oid(relation) {
            Some(Some(relation)) => relation,
            Some(None) => return self.view.all(),
            None => {
                self.wanted.oids.insert(relation);
                return self.view.all();
            }
        };
        match (attribute, relation.column(attribute).map(ToOwned::to_owned)) {
            (_, Some(column)) => self.column(&relation, &column),
            // The whole row.
            (0, None) => {
                let columns = relation.columns.iter();
                let columns: Vec<Box<str>> = columns.map(|column| column.name.clone()).collect();
                columns.iter().fold(Tags::NONE, |tags, column| tags | self.column(&relation, column))
            }
            (_, None) => self.view.all(),
        }
    }

    /// The tags of a column: its own, and of a view's or a generated one what it is computed from.
    fn column(&mut self, relation: &Relation, column: &str) -> Tags {
        let own = self.own(relation, column);
        let attribute = relation.columns.iter().position(|other| *other.name == *column);
        let generated =
            attribute.and_then(|at| relation.columns.get(at)).is_none_or(|column| column.generated.is_some());
        match (&relation.source, attribute) {
            (Source::Stored, Some(_)) if !generated => own,
            (_, Some(at)) => {
                let text = select_all(&relation.place);
                let asked = Asked { text: text.as_bytes(), settings: Settings::default(), statement: 0, writes: false };
                let computed = self.lineage(asked).origin(at, relation.columns.len());
                own | self.tags(&computed)
            }
            (_, None) => self.view.all(),
        }
    }

    /// The tags that rules give to a column, or to the same column of its kin.
    fn own(&self, relation: &Relation, column: &str) -> Tags {
        let places = std::iter::once(&relation.place).chain(&relation.kin);
        places.map(|place| self.view.tags_of(&place.schema, &place.name, column)).collect()
    }

    fn named(&mut self, name: &RelationName) -> Option<Arc<Relation>> {
        match self.known.relation(name) {
            lineage::Lookup::Found(relation) => Some(relation),
            lineage::Lookup::Absent => None,
            lineage::Lookup::NotYet => {
                self.known.want_relation(name, &mut self.wanted);
                None
            }
        }
    }
}

/// All columns of a relation, as a statement.
fn select_all(place: &Place) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    format!("SELECT * FROM {}.{}", quoted(&place.schema), quoted(&place.name))
}
