//! Writes: `INSERT`, `UPDATE`, `DELETE`, `MERGE` and `TRUNCATE`.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    CmdType, DeleteStmt, InsertStmt, MergeStmt, MergeWhenClause, OnConflictAction, OnConflictClause, RangeVar,
    ReturningClause, TruncateStmt, UpdateStmt,
};
use portcullis_core::vocabulary::Action;

use super::condition;
use super::draft::Place;
use super::{Reader, Scope, names};
use crate::{Object, SessionChange, vocabulary};

/// What a write writes to: the effect, the relation, and the name it goes by.
struct Written<'t> {
    place: Place,
    relation: &'t RangeVar,
    name: &'t str,
}

impl Reader {
    fn written<'t>(&mut self, action: Action, relation: Option<&'t RangeVar>) -> Option<Written<'t>> {
        let place = self.relation(action, relation);
        let relation = relation?;
        let name = relation.alias.as_ref().map_or(relation.relname.as_str(), |alias| &alias.aliasname);
        Some(Written { place: place?, relation, name })
    }

    /// Begins the scope of a write, where its relation is visible under its name.
    fn scope_of(&mut self, place: Place, name: &str) {
        self.scopes.push(Scope::default());
        let first = self.read.len();
        self.enter(Some(name), Some(place), first);
    }

    /// Another effect on the relation that is written to.
    fn also(&mut self, written: &Written<'_>, action: Action) -> Place {
        self.effect(action, Object::Relation(names::relation(written.relation)))
    }

    pub(super) fn insert(&mut self, insert: &InsertStmt) {
        self.seen.queries += 1;
        let visible = self.ctes.len();
        self.with(insert.with_clause.as_ref());
        if let Some(written) = self.written(vocabulary::INSERT, insert.relation.as_ref()) {
            self.targets(written.place, &insert.cols);
            if insert.cols.is_empty() {
                self.draft.column(written.place, "*");
            }
            self.maybe(&insert.select_stmt);
            if let Some(conflict) = &insert.on_conflict_clause {
                self.on_conflict(conflict, &written);
            }
            self.returning(insert.returning_clause.as_ref(), &written);
        }
        self.ctes.truncate(visible);
    }

    fn on_conflict(&mut self, conflict: &OnConflictClause, written: &Written<'_>) {
        let updates = conflict.action() == OnConflictAction::OnconflictUpdate;
        let place = if updates { self.also(written, vocabulary::UPDATE) } else { written.place };
        self.scope_of(place, written.name);
        self.enter(Some("excluded"), Some(place), self.read.len());
        if let Some(infer) = &conflict.infer {
            self.expressions(&infer.index_elems);
            self.maybe(&infer.where_clause);
        }
        self.targets(place, &conflict.target_list);
        self.maybe(&conflict.where_clause);
        self.scopes.pop();
    }

    pub(super) fn update(&mut self, update: &UpdateStmt) {
        self.seen.queries += 1;
        let visible = self.ctes.len();
        self.with(update.with_clause.as_ref());
        if let Some(written) = self.written(vocabulary::UPDATE, update.relation.as_ref()) {
            self.writes_settings(written.relation);
            self.scope_of(written.place, written.name);
            self.from(&update.from_clause);
            self.targets(written.place, &update.target_list);
            self.condition(update.where_clause.as_deref(), &written);
            self.returning(update.returning_clause.as_ref(), &written);
            self.scopes.pop();
        }
        self.ctes.truncate(visible);
    }

    pub(super) fn delete(&mut self, delete: &DeleteStmt) {
        self.seen.queries += 1;
        let visible = self.ctes.len();
        self.with(delete.with_clause.as_ref());
        if let Some(written) = self.written(vocabulary::DELETE, delete.relation.as_ref()) {
            self.scope_of(written.place, written.name);
            self.from(&delete.using_clause);
            self.condition(delete.where_clause.as_deref(), &written);
            self.returning(delete.returning_clause.as_ref(), &written);
            self.scopes.pop();
        }
        self.ctes.truncate(visible);
    }

    /// An update of this view is `set_config` by another name.
    fn writes_settings(&mut self, relation: &RangeVar) {
        if relation.relname == "pg_settings" && matches!(&*relation.schemaname, "" | "pg_catalog") {
            self.draft.opaque();
            self.database(vocabulary::SESSION);
            self.changes(SessionChange::Unknown);
        }
    }

    fn condition(&mut self, condition: Option<&Node>, written: &Written<'_>) {
        if condition::is_open(condition, written.name) {
            self.draft.unfiltered(written.place);
        }
        if let Some(condition) = condition {
            self.expression(condition);
        }
    }

    /// Columns that are assigned to, and what they are assigned.
    fn targets(&mut self, place: Place, targets: &[Node]) {
        for node in targets {
            let Some(Enum::ResTarget(target)) = &node.node else {
                self.unknown = true;
                continue;
            };
            self.draft.column(place, &target.name);
            self.expression(node);
        }
    }

    /// `RETURNING` reads the rows that were written.
    fn returning(&mut self, returning: Option<&ReturningClause>, written: &Written<'_>) {
        let Some(returning) = returning else { return };
        let place = self.also(written, vocabulary::SELECT);
        self.scope_of(place, written.name);
        for name in ["old", "new"].into_iter().chain(returning.options.iter().filter_map(renamed)) {
            self.enter(Some(name), Some(place), self.read.len());
        }
        self.expressions(&returning.exprs);
        self.scopes.pop();
    }

    pub(super) fn merge(&mut self, merge: &MergeStmt) {
        self.seen.queries += 1;
        let visible = self.ctes.len();
        self.with(merge.with_clause.as_ref());
        if let Some(written) = self.written(vocabulary::MERGE, merge.relation.as_ref()) {
            self.scope_of(written.place, written.name);
            if let Some(source) = &merge.source_relation {
                self.source(source);
            }
            self.maybe(&merge.join_condition);
            for node in &merge.merge_when_clauses {
                match &node.node {
                    Some(Enum::MergeWhenClause(when)) => self.when(when, &written),
                    _ => self.unknown = true,
                }
            }
            self.returning(merge.returning_clause.as_ref(), &written);
            self.scopes.pop();
        }
        self.ctes.truncate(visible);
    }

    fn when(&mut self, when: &MergeWhenClause, written: &Written<'_>) {
        let place = match when.command_type() {
            CmdType::CmdInsert => self.also(written, vocabulary::INSERT),
            CmdType::CmdUpdate => self.also(written, vocabulary::UPDATE),
            CmdType::CmdDelete => self.also(written, vocabulary::DELETE),
            CmdType::CmdNothing => written.place,
            _ => {
                self.unknown = true;
                written.place
            }
        };
        self.maybe(&when.condition);
        self.targets(place, &when.target_list);
        self.expressions(&when.values);
    }

    pub(super) fn truncate(&mut self, truncate: &TruncateStmt) {
        for node in &truncate.relations {
            let Some(Enum::RangeVar(relation)) = &node.node else {
                self.unknown = true;
                continue;
            };
            if let Some(place) = self.relation(vocabulary::TRUNCATE, Some(relation)) {
                self.draft.unfiltered(place);
            }
        }
    }
}

/// The name that `RETURNING WITH (OLD AS o, NEW AS n)` gives to rows.
fn renamed(option: &Node) -> Option<&str> {
    match &option.node {
        Some(Enum::ReturningOption(option)) => Some(&option.value),
        _ => None,
    }
}
