//! Queries: what `FROM` names, which names hide others, and which rows are locked.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    CommonTableExpr, IntoClause, JoinExpr, LockingClause, RangeFunction, RangeSubselect, RangeTableFunc,
    RangeTableSample, RangeVar, SelectStmt, WithClause,
};

use super::draft::Place;
use super::{Entry, Reader, Scope, names};
use crate::{Object, vocabulary};

impl Reader {
    /// Reads a query, or a write that stands where a query may.
    pub(super) fn query(&mut self, node: &Enum) {
        match node {
            Enum::SelectStmt(select) => self.select(select),
            Enum::InsertStmt(insert) => self.insert(insert),
            Enum::UpdateStmt(update) => self.update(update),
            Enum::DeleteStmt(delete) => self.delete(delete),
            Enum::MergeStmt(merge) => self.merge(merge),
            _ => self.unknown = true,
        }
    }

    pub(super) fn select(&mut self, select: &SelectStmt) {
        self.seen.queries += 1;
        let visible = self.ctes.len();
        self.with(select.with_clause.as_ref());
        self.scopes.push(Scope { entries: Vec::new(), outputs: outputs(&select.target_list) });
        match (&select.larg, &select.rarg) {
            (None, None) => self.simple_select(select),
            (left, right) => {
                for part in [left, right].into_iter().flatten() {
                    self.select(part);
                }
            }
        }
        self.ordering(&select.sort_clause);
        self.maybe(&select.limit_count);
        self.maybe(&select.limit_offset);
        self.scopes.pop();
        self.ctes.truncate(visible);
    }

    fn simple_select(&mut self, select: &SelectStmt) {
        if let Some(into) = &select.into_clause {
            self.into(into);
        }
        let first = self.read.len();
        self.from(&select.from_clause);
        let from = first..self.read.len();
        // `DISTINCT` alone is an item that holds nothing.
        self.ordering(&select.distinct_clause);
        self.expressions(&select.target_list);
        self.maybe(&select.where_clause);
        self.expressions(&select.group_clause);
        self.maybe(&select.having_clause);
        self.expressions(&select.window_clause);
        self.expressions(&select.values_lists);
        for lock in &select.locking_clause {
            match &lock.node {
                Some(Enum::LockingClause(lock)) => self.lock(lock, from.clone()),
                _ => self.unknown = true,
            }
        }
    }

    /// `INTO` makes a relation.
    pub(super) fn into(&mut self, into: &IntoClause) {
        self.makes(into.rel.as_ref());
        self.expressions(&into.options);
        self.unknown |= into.view_query.is_some();
    }

    /// Reads common table expressions and makes their names visible. The caller hides them again.
    pub(super) fn with(&mut self, with: Option<&WithClause>) {
        let Some(with) = with else { return };
        let tables: Vec<&CommonTableExpr> = with.ctes.iter().filter_map(common_table).collect();
        self.unknown |= tables.len() != with.ctes.len();
        if with.recursive {
            self.ctes.extend(tables.iter().map(|table| table.ctename.as_str().into()));
        }
        for table in tables {
            if let Some(query) = table.ctequery.as_ref().and_then(|query| query.node.as_ref()) {
                self.query(query);
            }
            if let Some(cycle) = &table.cycle_clause {
                self.maybe(&cycle.cycle_mark_value);
                self.maybe(&cycle.cycle_mark_default);
            }
            if !with.recursive {
                self.ctes.push(table.ctename.as_str().into());
            }
        }
    }

    pub(super) fn from(&mut self, items: &[Node]) {
        for item in items {
            self.source(item);
        }
    }

    pub(super) fn source(&mut self, item: &Node) {
        match &item.node {
            Some(Enum::RangeVar(relation)) => self.source_relation(relation),
            Some(Enum::JoinExpr(join)) => self.join(join),
            Some(Enum::RangeSubselect(subselect)) => self.source_query(subselect),
            Some(Enum::RangeFunction(function)) => self.source_function(function),
            Some(Enum::RangeTableFunc(table)) => self.source_table(table),
            Some(Enum::RangeTableSample(sample)) => self.source_sample(sample),
            Some(Enum::JsonTable(table)) => {
                self.expression(item);
                self.enter(alias(table.alias.as_ref()), None, self.read.len());
            }
            _ => self.unknown = true,
        }
    }

    fn source_relation(&mut self, relation: &RangeVar) {
        let name = alias(relation.alias.as_ref()).unwrap_or(&relation.relname);
        let first = self.read.len();
        if relation.schemaname.is_empty() && self.ctes.iter().any(|cte| **cte == *relation.relname) {
            self.seen.relations += 1;
            return self.enter(Some(name), None, first);
        }
        let place = self.relation(vocabulary::SELECT, Some(relation));
        self.read.extend(place);
        self.enter(Some(name), place, first);
    }

    /// Makes a name visible in the innermost query.
    pub(super) fn enter(&mut self, name: Option<&str>, place: Option<Place>, first: usize) {
        let inside = first..self.read.len();
        if let Some(scope) = self.scopes.last_mut() {
            scope.entries.push(Entry { name: name.unwrap_or_default().into(), place, inside });
        }
    }

    fn join(&mut self, join: &JoinExpr) {
        self.maybe_source(join.larg.as_deref());
        self.maybe_source(join.rarg.as_deref());
        let shared = if join.is_natural { vec!["*"] } else { names::strings(&join.using_clause) };
        let places: Vec<Place> = self
            .scopes
            .last()
            .map_or(Vec::new(), |scope| scope.entries.iter().filter_map(|entry| entry.place).collect());
        for place in places {
            for column in &shared {
                self.draft.column(place, column);
            }
        }
        self.maybe(&join.quals);
    }

    fn maybe_source(&mut self, item: Option<&Node>) {
        if let Some(item) = item {
            self.source(item);
        }
    }

    fn source_query(&mut self, subselect: &RangeSubselect) {
        let first = self.read.len();
        self.maybe(&subselect.subquery);
        self.enter(alias(subselect.alias.as_ref()), None, first);
    }

    fn source_function(&mut self, function: &RangeFunction) {
        self.expressions(&function.functions);
        self.expressions(&function.coldeflist);
        self.enter(alias(function.alias.as_ref()), None, self.read.len());
    }

    fn source_table(&mut self, table: &RangeTableFunc) {
        self.maybe(&table.docexpr);
        self.maybe(&table.rowexpr);
        self.expressions(&table.namespaces);
        self.expressions(&table.columns);
        self.enter(alias(table.alias.as_ref()), None, self.read.len());
    }

    fn source_sample(&mut self, sample: &RangeTableSample) {
        self.maybe_source(sample.relation.as_deref());
        self.expressions(&sample.args);
        self.maybe(&sample.repeatable);
    }

    /// Reads `ORDER BY` or `DISTINCT ON`, where a bare name is an output's before it is a column's.
    fn ordering(&mut self, items: &[Node]) {
        for item in items {
            if bare_name(item).is_some_and(|name| self.is_output(name)) {
                self.seen.columns += 1;
            } else {
                self.expression(item);
            }
        }
    }

    fn is_output(&self, name: &str) -> bool {
        self.scopes.last().is_some_and(|scope| scope.outputs.iter().any(|output| **output == *name))
    }

    /// Locks the rows of the relations named, or of all that `FROM` reads, queries in it included.
    fn lock(&mut self, lock: &LockingClause, from: std::ops::Range<usize>) {
        let mut places = Vec::new();
        if lock.locked_rels.is_empty() {
            places.extend_from_slice(self.read.get(from).unwrap_or_default());
        }
        for node in &lock.locked_rels {
            let Some(Enum::RangeVar(relation)) = &node.node else {
                self.unknown = true;
                continue;
            };
            self.seen.relations += 1;
            let entries = self.scopes.last().map_or(&[][..], |scope| &scope.entries);
            for entry in entries.iter().filter(|entry| *entry.name == *relation.relname) {
                places.extend_from_slice(self.read.get(entry.inside.clone()).unwrap_or_default());
            }
        }
        for place in places {
            self.draft.locks(place);
            if let Some((_, object @ Object::Relation(_))) = self.draft.at(place) {
                let object = object.clone();
                self.effect(vocabulary::LOCK, object);
            }
        }
    }
}

fn common_table(node: &Node) -> Option<&CommonTableExpr> {
    match &node.node {
        Some(Enum::CommonTableExpr(table)) => Some(table),
        _ => None,
    }
}

fn alias(alias: Option<&pg_query::protobuf::Alias>) -> Option<&str> {
    alias.map(|alias| alias.aliasname.as_str())
}

/// The names that a query gives to what it computes. A column under its own name is still a column.
fn outputs(targets: &[Node]) -> Vec<Box<str>> {
    let named = |node: &Node| match &node.node {
        Some(Enum::ResTarget(target)) if !target.name.is_empty() => Some(target.name.as_str().into()),
        _ => None,
    };
    targets.iter().filter_map(named).collect()
}

fn bare_name(item: &Node) -> Option<&str> {
    match &item.node {
        Some(Enum::SortBy(sort)) => sort.node.as_ref().and_then(|node| bare_name(node)),
        Some(Enum::ColumnRef(column)) => match column.fields.as_slice() {
            [only] => names::string(only),
            _ => None,
        },
        _ => None,
    }
}
