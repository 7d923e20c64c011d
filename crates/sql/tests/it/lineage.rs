//! `lineage.txt`: statements, from which columns what they return is computed, and what they probe.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use portcullis_sql::postgres::Settings;
use portcullis_sql::postgres::lineage::{
    Callable, Callee, Catalogue, Column, Destination, Lineage, Lookup, Missing, Origin, Output, Relation, RelationName,
    Source, Traced, lineage,
};

const TABLE: &str = include_str!("lineage.txt");

/// The catalogue that the table is about: `name column …`, with what follows after `:=`.
pub(crate) const TABLES: &[(&str, &str)] = &[
    ("customers", "id name email ssn doc tags created"),
    ("orders", "id customer_id total status created"),
    ("items", "order_id sku qty"),
    ("notes", "id body"),
    ("pg_catalog.pg_class", "oid relname relnamespace relkind reltuples"),
    ("pg_catalog.pg_namespace", "oid nspname"),
    ("pg_catalog.pg_statistic", "starelid staattnum stavalues1"),
    ("pg_catalog.pg_attribute", "attrelid attname attmissingval"),
    ("pg_toast.pg_toast_1", "chunk_id chunk_data"),
];

/// Views of the system, which have no definition here.
const SYSTEM_VIEWS: &[(&str, &str)] = &[
    ("pg_catalog.pg_stats", "schemaname tablename most_common_vals histogram_bounds"),
    ("pg_catalog.pg_stat_activity", "pid state query"),
    ("pg_catalog.pg_prepared_statements", "name statement"),
    ("pg_catalog.pg_settings", "name setting"),
    ("information_schema.columns", "table_name column_name"),
];

/// Views, their columns, and their definitions.
pub(crate) const VIEWS: &[(&str, &str, &str)] = &[
    ("customer_names", "id name", " SELECT id,\n    name\n   FROM public.customers;"),
    ("customer_ssns", "s", "SELECT customers.ssn AS s FROM public.customers"),
    ("order_totals", "total", "SELECT sum(total) AS total FROM public.orders"),
    ("nested", "n", "SELECT s AS n FROM public.customer_ssns"),
    ("chosen", "id", "SELECT id FROM public.customers WHERE ssn ~~ '1%'::text"),
    ("masked_view", "last4", "SELECT \"right\"(ssn, 4) AS last4 FROM public.customers"),
];

/// Views that no server would have.
const ODD_VIEWS: &[(&str, &str, &str)] =
    &[("looped", "n", "SELECT n FROM public.looped"), ("broken", "n", "SELECT FROM WHERE")];

/// Answers as a session would whose search path is `public`.
#[derive(Default)]
struct Shop {
    relations: HashMap<RelationName, Arc<Relation>>,
}

impl Shop {
    fn new() -> Self {
        let mut shop = Self::default();
        for (name, columns) in TABLES {
            shop.add(name, columns, Source::Stored);
        }
        for (name, columns) in SYSTEM_VIEWS {
            shop.add(name, columns, Source::View { definition: None });
        }
        for (name, columns, definition) in VIEWS.iter().chain(ODD_VIEWS) {
            shop.add(name, columns, Source::View { definition: Some((*definition).into()) });
        }
        let generated = |name: &str, from: &str| Column { name: name.into(), generated: Some(from.into()) };
        let plain = |name: &str| Column { name: name.into(), generated: None };
        let columns = vec![
            plain("id"),
            plain("name"),
            plain("ssn"),
            generated("name_upper", "upper(name)"),
            generated("ssn_upper", "upper(ssn)"),
        ];
        shop.insert("public", Relation { columns, ..relation("public", "generated", "", Source::Stored) });
        shop
    }

    fn add(&mut self, name: &str, columns: &str, source: Source) {
        let (schema, name) = name.split_once('.').unwrap_or(("public", name));
        self.insert(schema, relation(schema, name, columns, source));
    }

    fn insert(&mut self, schema: &str, relation: Relation) {
        let name = Arc::clone(&relation.name);
        let relation = Arc::new(relation);
        if schema != "information_schema" {
            self.relations.insert(RelationName { schema: None, name: Arc::clone(&name) }, Arc::clone(&relation));
        }
        self.relations.insert(RelationName { schema: Some(schema.into()), name }, relation);
    }
}

fn relation(schema: &str, name: &str, columns: &str, source: Source) -> Relation {
    let column = |name: &str| Column { name: name.into(), generated: None };
    let columns = columns.split_whitespace().map(column).collect();
    Relation { schema: schema.into(), name: name.into(), columns, source }
}

impl Catalogue for Shop {
    fn relation(&self, name: &RelationName) -> Lookup<Arc<Relation>> {
        self.relations.get(name).map_or(Lookup::Absent, |relation| Lookup::Found(Arc::clone(relation)))
    }

    fn callee(&self, callable: &Callable) -> Lookup<Callee> {
        let (Callable::Function(name) | Callable::Operator(name) | Callable::Type(name)) = callable;
        Lookup::Found(match (name.schema.as_deref(), &*name.name) {
            (None, "ssn" | "id" | "street" | "f1" | "key" | "no_such_function") => return Lookup::Absent,
            (None, "slugify") | (None | Some("public"), "mood") => Callee::FromArguments,
            (None, "leak" | "leaky" | "my_sum" | "dblink") | (Some(_), _) => Callee::Anything,
            (None, _) => Callee::BuiltIn,
        })
    }
}

pub(crate) fn shop() -> Arc<dyn Catalogue> {
    Arc::new(Shop::new())
}

/// A statement with the lines that are expected of it.
pub(crate) fn entries() -> Vec<(String, Vec<String>)> {
    let mut entries: Vec<(String, Vec<String>)> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match (line.strip_prefix("    "), entries.last_mut()) {
            (Some(expected), Some((_, lines))) => lines.push(expected.trim_end().to_owned()),
            _ => entries.push((line.to_owned(), Vec::new())),
        }
    }
    entries
}

pub(crate) fn trace(text: &str, catalogue: &Arc<dyn Catalogue>) -> Traced {
    lineage(text.as_bytes(), Settings::default(), catalogue)
}

fn name(schema: &str, relation: &str, column: &str) -> String {
    match schema {
        "public" => format!("{relation}.{column}"),
        _ => format!("{schema}.{relation}.{column}"),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Unknown(_) => "?".into(),
        Origin::Columns(columns) if columns.is_empty() => "-".into(),
        Origin::Columns(columns) => {
            let names: Vec<String> =
                columns.iter().map(|column| name(&column.schema, &column.relation, &column.column)).collect();
            names.join(" ")
        }
    }
}

fn destination(to: &Destination) -> String {
    match to {
        Destination::Column(column) => name(&column.schema, &column.relation, &column.column),
        Destination::Made { relation, column, .. } => {
            format!("new {relation}.{}", column.as_deref().unwrap_or("*"))
        }
        Destination::Elsewhere(what) => (*what).into(),
    }
}

/// A lineage as the table writes it.
fn written(lineage: &Lineage, lines: &mut Vec<String>) {
    let output = |output: &Output| format!("{}: {}", output.name, origin(&output.origin));
    lines.extend(lineage.columns.first.iter().map(output));
    lines.extend(lineage.columns.gap.iter().map(|gap| format!("…: {}", origin(gap))));
    lines.extend(lineage.columns.last.iter().map(output));
    if !lineage.probes.is_clean() {
        lines.push(format!("probes {}", origin(&lineage.probes)));
    }
    for (to, what) in &lineage.carries {
        lines.push(format!("into {} {}", destination(to), origin(what)));
    }
    if let Some(stored) = &lineage.stored {
        lines.push("later".into());
        written(stored, lines);
    }
}

#[test]
fn statements_have_the_lineage_that_the_table_says() {
    let shop = shop();
    let mut wrong = Vec::new();
    for (statement, expected) in entries() {
        let mut found = Vec::new();
        for lineage in &trace(&statement, &shop).statements {
            written(lineage, &mut found);
        }
        if found != expected {
            let lines = |lines: &[String]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
            wrong.push(format!("{statement}\n{}  expected\n{}", lines(&found), lines(&expected)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), entries().len(), wrong.join("\n"));
}

#[test]
fn the_table_has_at_least_300_statements() {
    assert!(entries().len() >= 300, "{}", entries().len());
}

/// Knows nothing yet.
struct Empty;

impl Catalogue for Empty {
    fn relation(&self, _: &RelationName) -> Lookup<Arc<Relation>> {
        Lookup::NotYet
    }

    fn callee(&self, _: &Callable) -> Lookup<Callee> {
        Lookup::NotYet
    }
}

#[test]
fn what_has_not_been_looked_up_is_missing_and_unknown() {
    let empty: Arc<dyn Catalogue> = Arc::new(Empty);
    let traced = trace("select upper(name), id + 1, id::mood from shop.customers", &empty);
    let relation = RelationName { schema: Some("shop".into()), name: "customers".into() };
    let callable = |kind: fn(RelationName) -> Callable, name: &str| {
        Missing::Callable(kind(RelationName { schema: None, name: name.into() }))
    };
    let expected = BTreeSet::from([
        Missing::Relation(relation),
        callable(Callable::Function, "upper"),
        callable(Callable::Operator, "+"),
        callable(Callable::Type, "mood"),
    ]);
    assert_eq!(traced.missing.into_iter().collect::<BTreeSet<_>>(), expected);
    let columns = &traced.statements[0].columns;
    assert!(columns.outputs_are(|origin| matches!(origin, Origin::Unknown(_))));
}

trait OutputsAre {
    fn outputs_are(&self, test: impl Fn(&Origin) -> bool) -> bool;
}

impl OutputsAre for portcullis_sql::postgres::lineage::Columns {
    fn outputs_are(&self, test: impl Fn(&Origin) -> bool) -> bool {
        self.first.iter().chain(&self.last).all(|output| test(&output.origin))
    }
}

#[test]
fn a_result_that_does_not_fit_its_statement_is_unknown() {
    let columns = &trace("select id, name from orders, customers c(a)", &shop()).statements[0].columns;
    assert!(matches!(columns.origin(0, 2), Origin::Columns(_)));
    for (index, count) in [(0, 1), (0, 3), (2, 2), (2, 3), (0, 0)] {
        assert!(matches!(columns.origin(index, count), Origin::Unknown(_)), "{index} of {count}");
    }
}

#[test]
fn columns_around_a_row_of_unknown_width_are_found_from_both_ends() {
    let text = "select c.id, u.*, c.name from customers c, unnest(c.tags) u";
    let columns = &trace(text, &shop()).statements[0].columns;
    let found: Vec<String> = (0..4).map(|n| origin(&columns.origin(n, 4))).collect();
    assert_eq!(found, ["customers.id", "customers.tags", "customers.tags", "customers.name"]);
    assert_eq!(origin(&columns.origin(1, 2)), "customers.name");
}
