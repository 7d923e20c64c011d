//! Relations of the catalogue: which origins their columns have.
//!
//! Columns of tables are their own origin, with what they are generated from. Views are followed.
//! Of PostgreSQL's own relations those are unknown that hold samples of other tables' values, texts
//! of statements, or secrets.

use std::rc::Rc;
use std::sync::Arc;

use pg_query::protobuf::node::Node as Enum;

use super::origin::{Columns, Origin, Output};
use super::scope::{At, Item, Scope};
use super::tracer::Tracer;
use super::{Lookup, Missing, Relation, RelationName, Settings, Source};

/// How deep views may stand on each other.
const MAX_VIEWS: usize = 32;

const UNKNOWN_RELATION: Origin = Origin::Unknown("a relation is not known");
const UNKNOWN_VIEW: Origin = Origin::Unknown("a view's definition is not known");
const SAMPLES: Origin = Origin::Unknown("the catalogue's column holds values or texts from elsewhere");

const CATALOGUE: &str = "pg_catalog";

/// PostgreSQL's own columns that hold what comes from elsewhere: relation, then columns, `*` for
/// all of them.
const HOLD_VALUES: &[(&str, &[&str])] = &[
    ("pg_statistic", &["*"]),
    ("pg_statistic_ext_data", &["*"]),
    ("pg_stats", &["*"]),
    ("pg_stats_ext", &["*"]),
    ("pg_stats_ext_exprs", &["*"]),
    ("pg_largeobject", &["*"]),
    ("pg_attribute", &["attmissingval"]),
    ("pg_sequences", &["last_value"]),
    ("pg_stat_activity", &["query", "application_name"]),
    ("pg_stat_replication", &["application_name"]),
    ("pg_stat_progress_copy", &["*"]),
    ("pg_prepared_statements", &["name", "statement"]),
    ("pg_prepared_xacts", &["gid"]),
    ("pg_cursors", &["name", "statement"]),
    ("pg_settings", &["setting", "reset_val", "boot_val"]),
    ("pg_file_settings", &["setting"]),
    ("pg_db_role_setting", &["setconfig"]),
    ("pg_roles", &["rolconfig"]),
    ("pg_user", &["useconfig"]),
    ("pg_shadow", &["passwd", "useconfig"]),
    ("pg_authid", &["rolpassword"]),
    ("pg_subscription", &["subconninfo"]),
    ("pg_user_mapping", &["umoptions"]),
    ("pg_user_mappings", &["umoptions"]),
    ("pg_foreign_server", &["srvoptions"]),
    ("pg_stat_wal_receiver", &["conninfo"]),
    ("user_mapping_options", &["*"]),
    ("_pg_user_mappings", &["*"]),
    ("foreign_server_options", &["*"]),
    ("_pg_foreign_servers", &["*"]),
];

/// A relation, ready to be read from.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) relation: Arc<Relation>,
    /// Its columns, each with its origin.
    pub(super) columns: Rc<Columns>,
    /// What decides which of its rows there are, where it is a view.
    probes: Origin,
}

impl Known {
    pub(super) fn is_stored(&self) -> bool {
        self.relation.source == Source::Stored
    }
}

impl Tracer<'_> {
    /// A relation of the catalogue as something to read from, under its own name.
    pub(super) fn relation_item(&mut self, schema: &str, name: &str, at: At<'_>) -> Item {
        match self.relation(schema, name, at) {
            Some(known) => {
                let schema = Some(Arc::clone(&known.relation.schema));
                let has_system_columns = known.is_stored();
                Item { schema, has_system_columns, ..Item::new(Some(name.into()), Rc::clone(&known.columns)) }
            }
            None => {
                // It may be a view of anything.
                self.runs_anything = true;
                Item::new(Some(name.into()), Rc::new(Columns::any(UNKNOWN_RELATION)))
            }
        }
    }

    /// The relation that a name means, if it is known.
    pub(super) fn relation(&mut self, schema: &str, name: &str, at: At<'_>) -> Option<Rc<Known>> {
        let schema = match schema {
            "" if at.stored => Some(CATALOGUE.into()),
            "" => None,
            schema => Some(schema.into()),
        };
        let name = RelationName { schema, name: name.into() };
        if let Some(looked_up) = self.relations.get(&name).cloned() {
            return looked_up.inspect(|known| self.read(known));
        }
        let relation = match self.catalogue.relation(&name) {
            Lookup::Found(relation) => relation,
            Lookup::Absent => return None,
            Lookup::NotYet => {
                self.misses(Missing::Relation(name));
                return None;
            }
        };
        // A view that is reached again while it is followed is not known.
        self.relations.insert(name.clone(), None);
        let known = Rc::new(self.learn(relation));
        self.relations.insert(name, Some(Rc::clone(&known)));
        self.read(&known);
        Some(known)
    }

    fn read(&mut self, known: &Known) {
        self.charge(known.columns.size());
        self.probe(&known.probes);
    }

    fn learn(&mut self, relation: Arc<Relation>) -> Known {
        let (origins, probes) = match &relation.source {
            _ if &*relation.schema == CATALOGUE || &*relation.schema == "information_schema" => {
                (Some(of_the_system(&relation)), Origin::default())
            }
            _ if relation.schema.starts_with("pg_toast") => (None, Origin::default()),
            Source::Stored => (Some(self.stored(&relation)), Origin::default()),
            Source::View { definition } => self.apart(|tracer| tracer.view(definition.as_deref(), &relation)),
        };
        let plain = relation.source == Source::Stored;
        let columns = match origins {
            Some(origins) => Columns::each(origins),
            None => {
                self.runs_anything = true;
                Columns::each(each(&relation, plain, |_| UNKNOWN_VIEW))
            }
        };
        Known { relation, columns: Rc::new(columns), probes }
    }

    fn stored(&mut self, relation: &Relation) -> Vec<Output> {
        let own = each(relation, true, |column| Origin::column(&relation.schema, &relation.name, column));
        let row = Rc::new(Columns::each(own.clone()));
        let generated = |(mut output, column): (Output, &super::Column)| {
            if let Some(expression) = &column.generated {
                let from = self.generated(expression, relation, &row);
                output.origin.add(&from);
                output.plain = false;
            }
            output
        };
        own.into_iter().zip(&relation.columns).map(generated).collect()
    }

    /// What a generated column is computed from.
    fn generated(&mut self, expression: &str, relation: &Relation, row: &Rc<Columns>) -> Origin {
        let text = format!("SELECT {expression}");
        let statements = self.parser.parse(&text, Settings::default()).unwrap_or_default();
        let scope = Scope::new(vec![Item::new(Some(Arc::clone(&relation.name)), Rc::clone(row))], None);
        let at = At { scope: Some(&scope), stored: true, ..At::default() };
        match only_query(&statements) {
            Some(Enum::SelectStmt(select)) => self.targets(&select.target_list, at).whole(),
            _ => Origin::Unknown("what a column is generated from cannot be read"),
        }
    }

    /// The columns of a view by what its definition says, each with its own name as well: it may be
    /// the view's column that is spoken of.
    fn view(&mut self, definition: Option<&str>, view: &Relation) -> Option<Vec<Output>> {
        let definition = definition.filter(|_| self.views < MAX_VIEWS)?;
        let statements = self.parser.parse(definition, Settings::default()).ok()?;
        let query = only_query(&statements)?;
        self.views += 1;
        let defined = self.deeper(Columns::default, |tracer| tracer.query(query, At { stored: true, ..At::default() }));
        self.views -= 1;
        let count = view.columns.len();
        let output = |(n, column): (usize, &super::Column)| {
            let own = Origin::column(&view.schema, &view.name, &column.name);
            let origin = defined.origin(n, count).and(&own);
            let plain = defined.first.get(n).is_some_and(|output| output.plain);
            Output { name: Arc::clone(&column.name), origin, plain }
        };
        Some(view.columns.iter().enumerate().map(output).collect())
    }
}

fn only_query(statements: &[pg_query::protobuf::RawStmt]) -> Option<&Enum> {
    match statements {
        [one] => one.stmt.as_ref().and_then(|node| node.node.as_ref()),
        _ => None,
    }
}

fn each(relation: &Relation, plain: bool, mut origin: impl FnMut(&Arc<str>) -> Origin) -> Vec<Output> {
    let output =
        |column: &super::Column| Output { name: Arc::clone(&column.name), origin: origin(&column.name), plain };
    relation.columns.iter().map(output).collect()
}

fn of_the_system(relation: &Relation) -> Vec<Output> {
    let hold = HOLD_VALUES.iter().find(|(name, _)| **name == *relation.name).map_or(&[][..], |(_, columns)| *columns);
    each(relation, true, |column| match hold.iter().any(|held| *held == "*" || **held == **column) {
        true => SAMPLES,
        false => Origin::column(&relation.schema, &relation.name, column),
    })
}
