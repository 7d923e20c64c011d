//! `FROM`: what each of its items makes visible, to the rest of the query and to what stands
//! behind it.

use std::rc::Rc;
use std::sync::Arc;

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{Alias, RangeFunction, RangeSubselect, RangeTableFunc, RangeTableSample, RangeVar};

use super::super::effects::names;
use super::functions::Shape;
use super::naming;
use super::origin::{Columns, Origin, Output};
use super::scope::{At, Item, Scope};
use super::tracer::Tracer;

const NOT_UNDERSTOOD: Origin = Origin::Unknown("an item of FROM is not understood");

impl Tracer<'_> {
    pub(super) fn from(&mut self, items: &[Node], at: At<'_>) -> Vec<Item> {
        self.items_behind(Vec::new(), items, at)
    }

    /// The items of a `FROM` that stands behind others: they see these where they may.
    pub(super) fn items_behind(&mut self, mut found: Vec<Item>, items: &[Node], at: At<'_>) -> Vec<Item> {
        for item in items {
            let more = self.source(item, at, &found);
            self.charge(found.len());
            found.extend(more);
        }
        found
    }

    /// What an item of FROM makes visible. `before` is what it sees if it is lateral.
    pub(super) fn source(&mut self, item: &Node, at: At<'_>, before: &[Item]) -> Vec<Item> {
        let not_understood = || vec![Item::new(None, Rc::new(Columns::any(NOT_UNDERSTOOD)))];
        self.deeper(not_understood, |tracer| match &item.node {
            Some(Enum::RangeVar(relation)) => vec![tracer.source_relation(relation, at)],
            Some(Enum::JoinExpr(join)) => tracer.join(join, at, before),
            Some(Enum::RangeSubselect(subselect)) => vec![tracer.source_query(subselect, at, before)],
            Some(Enum::RangeFunction(function)) => {
                vec![tracer.lateral(at, before, |tracer, at| tracer.source_function(function, at))]
            }
            Some(Enum::RangeTableFunc(table)) => {
                vec![tracer.lateral(at, before, |tracer, at| tracer.source_xml(table, at))]
            }
            Some(Enum::JsonTable(table)) => vec![tracer.lateral(at, before, |tracer, at| {
                let mut names = Vec::new();
                json_columns(&table.columns, &mut names);
                tracer.source_document(item, &names, table.alias.as_ref(), at)
            })],
            Some(Enum::RangeTableSample(sample)) => tracer.source_sample(sample, at, before),
            _ => not_understood(),
        })
    }

    /// Does something where what stands before in the FROM is visible.
    fn lateral<T>(&mut self, at: At<'_>, before: &[Item], work: impl FnOnce(&mut Self, At<'_>) -> T) -> T {
        self.charge(before.len());
        let scope = Scope::new(before.to_vec(), at.scope);
        work(self, At { scope: Some(&scope), ..at })
    }

    fn source_relation(&mut self, relation: &RangeVar, at: At<'_>) -> Item {
        let table = relation.schemaname.is_empty().then(|| at.table(&relation.relname)).flatten();
        let item = match table {
            Some(columns) => {
                self.charge(columns.size());
                Item::new(Some(relation.relname.as_str().into()), columns)
            }
            None => self.relation_item(&relation.schemaname, &relation.relname, at),
        };
        named(item, relation.alias.as_ref())
    }

    fn source_query(&mut self, subselect: &RangeSubselect, at: At<'_>, before: &[Item]) -> Item {
        let query = subselect.subquery.as_deref();
        let columns = match subselect.lateral {
            true => self.lateral(at, before, |tracer, at| tracer.maybe_query(query, at)),
            false => self.maybe_query(query, at),
        };
        named(Item::new(None, Rc::new(columns)), subselect.alias.as_ref())
    }

    fn source_sample(&mut self, sample: &RangeTableSample, at: At<'_>, before: &[Item]) -> Vec<Item> {
        for node in sample.args.iter().chain(sample.repeatable.as_deref()) {
            self.probe_value(node, at);
        }
        match &sample.relation {
            Some(relation) => self.source(relation, at, before),
            None => Vec::new(),
        }
    }

    fn source_function(&mut self, function: &RangeFunction, at: At<'_>) -> Item {
        let alone = function.functions.len() == 1;
        let mut columns = Columns::default();
        for entry in &function.functions {
            let Some(Enum::List(entry)) = &entry.node else { return Item::new(None, any(NOT_UNDERSTOOD)) };
            let Some((call, own)) = entry.items.split_first() else { continue };
            let mut defined: Vec<&str> = own.iter().flat_map(defined).collect();
            if alone {
                defined.extend(function.coldeflist.iter().flat_map(self::defined));
            }
            let alias = function.alias.as_ref().filter(|_| alone).map(|alias| alias.aliasname.as_str());
            columns.append(&self.function_columns(call, &defined, alias, at));
        }
        // How many rows a function gives may depend on its arguments.
        self.probe(&columns.whole());
        if function.ordinality {
            let number = Output { name: "ordinality".into(), origin: Origin::default(), plain: false };
            columns.append(&Columns::each(vec![number]));
        }
        let name = function.functions.first().and_then(first_of_list).map(naming::column);
        named(Item::new(name.map(Arc::from), Rc::new(columns)), function.alias.as_ref())
    }

    /// The columns that a function in FROM gives; `alias` is the name that it goes by.
    fn function_columns(&mut self, call: &Node, defined: &[&str], alias: Option<&str>, at: At<'_>) -> Columns {
        let value = self.value(call, at);
        let each = |names: &[&str]| {
            let output = |name: &&str| Output { name: (*name).into(), origin: value.origin.clone(), plain: false };
            Columns::each(names.iter().map(output).collect())
        };
        if !defined.is_empty() {
            return each(defined);
        }
        let shape = match &call.node {
            Some(Enum::FuncCall(call)) => self.shape(call, at),
            Some(Enum::SqlvalueFunction(_)) => Shape::Value,
            _ => Shape::Row,
        };
        match (shape, &value.origin) {
            (Shape::Row, _) | (_, Origin::Unknown(_)) => Columns::any(value.origin),
            (Shape::Columns(names), _) => each(names),
            (Shape::Value, _) => each(&[alias.unwrap_or_else(|| naming::column(call))]),
        }
    }

    fn source_xml(&mut self, table: &RangeTableFunc, at: At<'_>) -> Item {
        let mut origin = Origin::default();
        let mut names = Vec::new();
        let documents = [&table.docexpr, &table.rowexpr].into_iter().flatten().map(|node| &**node);
        for node in documents.chain(&table.namespaces).chain(&table.columns) {
            if let Some(Enum::RangeTableFuncCol(column)) = &node.node {
                names.push(column.colname.as_str());
            }
            let part = match &node.node {
                Some(Enum::ResTarget(namespace)) => namespace.val.as_deref(),
                _ => Some(node),
            };
            let value = part.map_or_else(Origin::default, |node| self.value(node, at).origin);
            self.add(&mut origin, &value);
        }
        self.document(&origin, &names, "xmltable", table.alias.as_ref())
    }

    fn source_document(&mut self, node: &Node, names: &[&str], alias: Option<&Alias>, at: At<'_>) -> Item {
        let origin = self.value(node, at).origin;
        self.document(&origin, names, "json_table", alias)
    }

    fn document(&mut self, origin: &Origin, names: &[&str], name: &str, alias: Option<&Alias>) -> Item {
        self.probe(origin);
        self.charge(origin.size().saturating_mul(names.len()));
        let output = |name: &&str| Output { name: (*name).into(), origin: origin.clone(), plain: false };
        let columns = Columns::each(names.iter().map(output).collect());
        named(Item::new(Some(name.into()), Rc::new(columns)), alias)
    }
}

/// An item under its alias, which hides its own name and may name its columns anew.
pub(super) fn named(item: Item, alias: Option<&Alias>) -> Item {
    let Some(alias) = alias else { return item };
    let mut columns = item.columns;
    if !alias.colnames.is_empty() {
        Rc::make_mut(&mut columns).rename(names::strings(&alias.colnames).into_iter());
    }
    Item { name: Some(alias.aliasname.as_str().into()), schema: None, columns, ..item }
}

fn any(origin: Origin) -> Rc<Columns> {
    Rc::new(Columns::any(origin))
}

fn first_of_list(node: &Node) -> Option<&Node> {
    match &node.node {
        Some(Enum::List(list)) => list.items.first(),
        _ => None,
    }
}

/// The names in a column definition list.
fn defined(node: &Node) -> Vec<&str> {
    match &node.node {
        Some(Enum::ColumnDef(column)) => vec![&column.colname],
        Some(Enum::List(list)) => list.items.iter().flat_map(defined).collect(),
        _ => Vec::new(),
    }
}

fn json_columns<'n>(columns: &'n [Node], names: &mut Vec<&'n str>) {
    for node in columns {
        let Some(Enum::JsonTableColumn(column)) = &node.node else { continue };
        if column.columns.is_empty() {
            names.push(&column.name);
        }
        json_columns(&column.columns, names);
    }
}
