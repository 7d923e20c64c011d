//! Writes: what they put into which column, and what RETURNING gives.
//!
//! What RETURNING gives of a column is computed from the column and from what the statement puts
//! into it: `INSERT INTO notes (body) SELECT ssn … RETURNING body` returns the `ssn`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    DeleteStmt, InsertStmt, MergeMatchKind, MergeStmt, MergeWhenClause, OnConflictClause, RangeVar, ReturningClause,
    ReturningOptionKind, UpdateStmt, WithClause,
};

use super::super::effects::names;
use super::from::named;
use super::origin::{ColumnName, Columns, Destination, Origin};
use super::scope::{At, Item, Scope, Tables};
use super::stored::Known;
use super::tracer::Tracer;

/// What is written to.
pub(super) struct Target<'t> {
    relation: &'t RangeVar,
    known: Option<Rc<Known>>,
    /// How the statement sees it.
    item: Item,
    /// What the statement puts into its columns.
    assigned: BTreeMap<Arc<str>, Origin>,
}

impl Target<'_> {
    fn destination(&self, column: &str) -> Destination {
        destination(self.known.as_deref(), self.relation, column)
    }

    /// The target as it is after the write.
    fn after(&self) -> Item {
        let mut columns = (*self.item.columns).clone();
        // An alias may name the columns anew; what is assigned goes by the names of the relation.
        let own = self.known.iter().flat_map(|known| &known.relation.columns);
        for (output, column) in columns.first.iter_mut().zip(own) {
            if let Some(assigned) = self.assigned.get(&column.name).filter(|assigned| !assigned.is_clean()) {
                output.origin.add(assigned);
                output.plain = false;
            }
        }
        Item { columns: Rc::new(columns), ..self.item.clone() }
    }
}

/// Where a value goes that is put into a column of a relation.
pub(super) fn destination(known: Option<&Known>, relation: &RangeVar, column: &str) -> Destination {
    match known {
        Some(known) => Destination::Column(ColumnName {
            schema: Arc::clone(&known.relation.schema),
            relation: Arc::clone(&known.relation.name),
            column: column.into(),
        }),
        None => Destination::Made {
            schema: (!relation.schemaname.is_empty()).then(|| relation.schemaname.as_str().into()),
            relation: relation.relname.as_str().into(),
            column: Some(column.into()),
        },
    }
}

const NO_TARGET: Origin = Origin::Unknown("a write has no relation that is understood");

impl Tracer<'_> {
    fn written<'t>(&mut self, relation: &'t RangeVar, at: At<'_>) -> Target<'t> {
        let known = self.relation(&relation.schemaname, &relation.relname, at);
        let item = self.relation_item(&relation.schemaname, &relation.relname, at);
        Target { relation, known, item: named(item, relation.alias.as_ref()), assigned: BTreeMap::new() }
    }

    /// Does a write with its common table expressions visible, and its relation.
    fn write(
        &mut self,
        (relation, with, returning): (Option<&RangeVar>, Option<&WithClause>, Option<&ReturningClause>),
        at: At<'_>,
        work: impl FnOnce(&mut Self, &mut Target<'_>, At<'_>) -> Vec<Item>,
    ) -> Columns {
        let tables = Tables { tables: self.with(with, at), outer: at.tables };
        let at = At { tables: Some(&tables), ..at };
        let Some(relation) = relation else { return Columns::any(NO_TARGET) };
        let mut target = self.written(relation, at);
        let items = work(self, &mut target, at);
        self.returning(returning, &target, items, at)
    }

    pub(super) fn insert(&mut self, insert: &InsertStmt, at: At<'_>) -> Columns {
        let parts = (insert.relation.as_ref(), insert.with_clause.as_ref(), insert.returning_clause.as_ref());
        self.write(parts, at, |tracer, target, at| {
            if let Some(query) = &insert.select_stmt {
                let rows = tracer.maybe_query(Some(query), at);
                let columns = written_columns(&insert.cols, target);
                tracer.assign_row(target, &columns, &rows);
            }
            if let Some(conflict) = &insert.on_conflict_clause {
                tracer.on_conflict(conflict, target, at);
            }
            vec![target.after()]
        })
    }

    fn on_conflict(&mut self, conflict: &OnConflictClause, target: &mut Target<'_>, at: At<'_>) {
        let excluded = Item { schema: None, name: Some("excluded".into()), ..target.after() };
        let own = Scope::new(vec![target.item.clone()], at.scope);
        // Whether a row with such a value is there shows in what the statement does.
        if let Some(infer) = &conflict.infer {
            let at = At { scope: Some(&own), ..at };
            for node in &infer.index_elems {
                self.conflicts_on(node, at);
            }
            if let Some(condition) = &infer.where_clause {
                self.probe_value(condition, at);
            }
        }
        let scope = Scope::new(vec![target.item.clone(), excluded], at.scope);
        let at = At { scope: Some(&scope), ..at };
        self.assign_list(target, &conflict.target_list, at);
        if let Some(condition) = &conflict.where_clause {
            self.probe_value(condition, at);
        }
    }

    fn conflicts_on(&mut self, node: &Node, at: At<'_>) {
        let Some(Enum::IndexElem(element)) = &node.node else { return };
        match &element.expr {
            Some(expression) => self.probe_value(expression, at),
            None => {
                let name = Enum::String(pg_query::protobuf::String { sval: element.name.clone() });
                let fields = vec![Node { node: Some(name) }];
                let column = Enum::ColumnRef(pg_query::protobuf::ColumnRef { fields, location: 0 });
                self.probe_value(&Node { node: Some(column) }, at);
            }
        }
    }

    pub(super) fn update(&mut self, update: &UpdateStmt, at: At<'_>) -> Columns {
        let parts = (update.relation.as_ref(), update.with_clause.as_ref(), update.returning_clause.as_ref());
        self.write(parts, at, |tracer, target, at| {
            let items = tracer.items_behind(vec![target.item.clone()], &update.from_clause, at);
            let mut scope = Scope::new(items, at.scope);
            let within = At { scope: Some(&scope), ..at };
            tracer.assign_list(target, &update.target_list, within);
            if let Some(condition) = &update.where_clause {
                tracer.probe_value(condition, within);
            }
            scope.items.splice(..1, [target.after()]);
            scope.items
        })
    }

    pub(super) fn delete(&mut self, delete: &DeleteStmt, at: At<'_>) -> Columns {
        let parts = (delete.relation.as_ref(), delete.with_clause.as_ref(), delete.returning_clause.as_ref());
        self.write(parts, at, |tracer, target, at| {
            let items = tracer.items_behind(vec![target.item.clone()], &delete.using_clause, at);
            let scope = Scope::new(items, at.scope);
            if let Some(condition) = &delete.where_clause {
                tracer.probe_value(condition, At { scope: Some(&scope), ..at });
            }
            scope.items
        })
    }

    pub(super) fn merge(&mut self, merge: &MergeStmt, at: At<'_>) -> Columns {
        let parts = (merge.relation.as_ref(), merge.with_clause.as_ref(), merge.returning_clause.as_ref());
        self.write(parts, at, |tracer, target, at| {
            let source = merge.source_relation.as_ref().map_or_else(Vec::new, |node| tracer.source(node, at, &[]));
            let both = source.iter().cloned().chain([target.item.clone()]).collect();
            let scope = Scope::new(both, at.scope);
            if let Some(condition) = &merge.join_condition {
                tracer.probe_value(condition, At { scope: Some(&scope), ..at });
            }
            for node in &merge.merge_when_clauses {
                let Some(Enum::MergeWhenClause(when)) = &node.node else { continue };
                let items = match when.match_kind() {
                    MergeMatchKind::MergeWhenNotMatchedByTarget => source.clone(),
                    MergeMatchKind::MergeWhenNotMatchedBySource => vec![target.item.clone()],
                    _ => scope.items.clone(),
                };
                let seen = Scope::new(items, at.scope);
                tracer.merge_when(when, target, At { scope: Some(&seen), ..at });
            }
            // RETURNING gives the source's columns first.
            source.into_iter().chain([target.after()]).collect()
        })
    }

    fn merge_when(&mut self, when: &MergeWhenClause, target: &mut Target<'_>, at: At<'_>) {
        if let Some(condition) = &when.condition {
            self.probe_value(condition, at);
        }
        if when.values.is_empty() {
            return self.assign_list(target, &when.target_list, at);
        }
        for (value, column) in when.values.iter().zip(written_columns(&when.target_list, target)) {
            let origin = self.value(value, at).origin;
            self.assign(target, &column, origin);
        }
    }

    /// What the columns of a list are set to.
    fn assign_list(&mut self, target: &mut Target<'_>, list: &[Node], at: At<'_>) {
        for node in list {
            let Some(Enum::ResTarget(set)) = &node.node else { continue };
            let Some(value) = &set.val else { continue };
            let mut origin = match &value.node {
                Some(Enum::MultiAssignRef(several)) => {
                    let nth = usize::try_from(several.colno).unwrap_or_default().checked_sub(1);
                    let own = several.source.as_deref().zip(nth).and_then(|(row, n)| nth_of_row(row, n));
                    self.value(own.unwrap_or(value), at).origin
                }
                _ => self.value(value, at).origin,
            };
            for index in &set.indirection {
                let index = self.value(index, at);
                self.add(&mut origin, &index.origin);
            }
            self.assign(target, &set.name, origin);
        }
    }

    fn assign_row(&mut self, target: &mut Target<'_>, columns: &[Arc<str>], rows: &Columns) {
        for (n, column) in columns.iter().enumerate() {
            let origin = match (rows.first.get(n), &rows.gap) {
                (Some(output), _) => output.origin.clone(),
                (None, Some(_)) => rows.whole(),
                (None, None) => continue,
            };
            self.assign(target, column, origin);
        }
        // Where the target's columns are not known, what is written goes into some of them.
        if columns.is_empty() {
            let known = target.known.as_deref();
            let anywhere = match destination(known, target.relation, "") {
                Destination::Made { schema, relation, .. } => Destination::Made { schema, relation, column: None },
                other => other,
            };
            self.carry(anywhere, rows.whole());
        }
    }

    fn assign(&mut self, target: &mut Target<'_>, column: &str, origin: Origin) {
        self.charge(origin.size());
        target.assigned.entry(column.into()).or_default().add(&origin);
        self.carry(target.destination(column), origin);
    }

    fn returning(
        &mut self,
        returning: Option<&ReturningClause>,
        target: &Target<'_>,
        mut items: Vec<Item>,
        at: At<'_>,
    ) -> Columns {
        let Some(returning) = returning else { return Columns::default() };
        let mut names =
            [(ReturningOptionKind::ReturningOptionOld, "old"), (ReturningOptionKind::ReturningOptionNew, "new")];
        let mut given = [false; 2];
        for node in &returning.options {
            let Some(Enum::ReturningOption(option)) = &node.node else { continue };
            for ((kind, name), given) in names.iter_mut().zip(&mut given) {
                if option.option() == *kind {
                    *name = &option.value;
                    *given = true;
                }
            }
        }
        let after = target.after().columns;
        for ((_, name), given) in names.into_iter().zip(given) {
            let taken = items.iter().any(|item| item.name.as_deref() == Some(name));
            if given || !taken {
                let system = Item::behind(name, Rc::clone(&after));
                items.push(Item { has_system_columns: target.item.has_system_columns, ..system });
            }
        }
        let scope = Scope::new(items, at.scope);
        self.targets(&returning.exprs, At { scope: Some(&scope), ..at })
    }
}

/// The columns that a list names, or all of the target's where there is none.
fn written_columns(list: &[Node], target: &Target<'_>) -> Vec<Arc<str>> {
    if list.is_empty() {
        let known = target.known.iter().flat_map(|known| &known.relation.columns);
        return known.map(|column| Arc::clone(&column.name)).collect();
    }
    let name = |node: &Node| match &node.node {
        Some(Enum::ResTarget(column)) => column.name.as_str().into(),
        _ => "".into(),
    };
    list.iter().map(name).collect()
}

/// The expression at `n` of `ROW(…)`.
fn nth_of_row(row: &Node, n: usize) -> Option<&Node> {
    match &row.node {
        Some(Enum::RowExpr(row)) => {
            let starred = row.args.iter().any(|arg| {
                matches!(&arg.node, Some(Enum::ColumnRef(column))
                if names::strings(&column.fields).len() < column.fields.len())
            });
            row.args.get(n).filter(|_| !starred)
        }
        _ => None,
    }
}
