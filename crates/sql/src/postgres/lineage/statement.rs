//! Statements: what each kind returns, and what it leaves behind.
//!
//! A kind that is not named here returns no rows, as far as this file knows. Where the target
//! describes some all the same, they do not fit the lineage, and are unknown.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{AlterTableStmt, ColumnDef, CopyStmt, ExplainStmt, IntoClause, RangeVar};

use super::super::effects::{names, runs};
use super::functions::is_plain_setting;
use super::origin::{Columns, Destination, Lineage, Origin, Output};
use super::scope::{At, Scope};
use super::tracer::Tracer;
use super::write::destination;

const NOT_IN_THE_TEXT: Origin = Origin::Unknown("what runs is not in the text");
const RAN: Origin = Origin::Unknown("a plan that ran tells of the rows");
const SETTING: Origin = Origin::Unknown("a setting may hold anything");
const OUTSIDE: &str = "a file or a program";

impl Tracer<'_> {
    pub(super) fn statement(&mut self, node: Option<&Enum>) -> Lineage {
        let at = At::default();
        let Some(node) = node else { return Lineage::default() };
        let columns = match node {
            Enum::SelectStmt(_)
            | Enum::InsertStmt(_)
            | Enum::UpdateStmt(_)
            | Enum::DeleteStmt(_)
            | Enum::MergeStmt(_) => {
                let columns = self.query(node, at);
                match self.makes.take() {
                    Some(into) => self.made(&into, &columns),
                    None => columns,
                }
            }
            Enum::CreateTableAsStmt(create) => {
                let columns = self.maybe_query(create.query.as_deref(), at);
                create.into.as_ref().map_or_else(Columns::default, |into| self.made(into, &columns))
            }
            Enum::CopyStmt(copy) => self.copy(copy, at),
            Enum::ExplainStmt(explain) => self.explain(explain),
            Enum::PrepareStmt(prepare) => return self.stored_statement(prepare.query.as_deref(), false),
            Enum::DeclareCursorStmt(declare) => return self.stored_statement(declare.query.as_deref(), true),
            Enum::ExecuteStmt(_) | Enum::FetchStmt(_) | Enum::CallStmt(_) => {
                self.runs_anything = true;
                Columns::any(NOT_IN_THE_TEXT)
            }
            Enum::VariableShowStmt(show) => {
                let origin = if is_plain_setting(&show.name) { Origin::default() } else { SETTING };
                Columns::any(origin)
            }
            Enum::AlterTableStmt(alter) => {
                self.alter(alter, at);
                Columns::default()
            }
            Enum::RenameStmt(rename) => {
                self.renamed(rename, at);
                Columns::default()
            }
            Enum::AlterObjectSchemaStmt(alter) => {
                self.put_into_schema(alter, at);
                Columns::default()
            }
            _ => Columns::default(),
        };
        self.found(columns)
    }

    /// A relation is made of the rows, and they are not returned.
    fn made(&mut self, into: &IntoClause, columns: &Columns) -> Columns {
        let Some(relation) = &into.rel else { return Columns::default() };
        let mut columns = columns.clone();
        columns.rename(names::strings(&into.col_names).into_iter());
        for output in columns.outputs() {
            self.carry(destination(None, relation, &output.name), output.origin.clone());
        }
        if let Some(gap) = columns.gap.take() {
            let schema = (!relation.schemaname.is_empty()).then(|| relation.schemaname.as_str().into());
            let relation = relation.relname.as_str().into();
            self.carry(Destination::Made { schema, relation, column: None }, gap);
        }
        Columns::default()
    }

    fn copy(&mut self, copy: &CopyStmt, at: At<'_>) -> Columns {
        let columns = match &copy.relation {
            None => self.maybe_query(copy.query.as_deref(), at),
            Some(relation) => self.copied(copy, relation, at),
        };
        if copy.is_from {
            return Columns::default();
        }
        if copy.is_program || !copy.filename.is_empty() {
            self.carry(Destination::Elsewhere(OUTSIDE), columns.whole());
            return Columns::default();
        }
        columns
    }

    /// The columns of a relation that COPY moves: those that it names, or all that are stored and not
    /// generated.
    fn copied(&mut self, copy: &CopyStmt, relation: &RangeVar, at: At<'_>) -> Columns {
        let item = self.relation_item(&relation.schemaname, &relation.relname, at);
        let known = self.relation(&relation.schemaname, &relation.relname, at);
        let scope = Scope::new(vec![item.clone()], None);
        if let Some(condition) = &copy.where_clause {
            self.probe_value(condition, At { scope: Some(&scope), ..at });
        }
        let named = names::strings(&copy.attlist);
        let Some(known) = known else { return (*item.columns).clone() };
        let columns = item.columns.first.iter().zip(&known.relation.columns);
        if named.is_empty() {
            let stored = columns.filter(|(_, column)| column.generated.is_none());
            return Columns::each(stored.map(|(output, _)| output.clone()).collect());
        }
        let of = |name: &str| item.columns.first.iter().find(|output| *output.name == *name).cloned();
        let unknown = |name: &str| Output { name: name.into(), origin: NOT_IN_THE_TEXT, plain: false };
        Columns::each(named.into_iter().map(|name| of(name).unwrap_or_else(|| unknown(name))).collect())
    }

    /// A plan shows the statement's own constants, and numbers that are estimated from samples of the
    /// tables: as much as a probe would. Planning runs functions to see what they give, so where one
    /// may give anything the plan may show it. The numbers of a plan that ran are those of the rows.
    fn explain(&mut self, explain: &ExplainStmt) -> Columns {
        let inner = self.statement(explain.query.as_ref().and_then(|query| query.node.as_ref()));
        self.probe(&inner.probes);
        let origin = match () {
            () if runs(&explain.options) => RAN,
            () if self.runs_anything => self.anything(),
            () => Origin::default(),
        };
        if runs(&explain.options) {
            inner.carries.into_iter().for_each(|(to, origin)| self.carry(to, origin));
        }
        Columns::each(vec![Output { name: "QUERY PLAN".into(), origin, plain: false }])
    }

    /// A statement that is kept, to be run later by its name. A cursor's rows are chosen at once.
    fn stored_statement(&mut self, query: Option<&Node>, at_once: bool) -> Lineage {
        let inner = self.statement(query.and_then(|query| query.node.as_ref()));
        let probes = if at_once { inner.probes.clone() } else { Origin::default() };
        Lineage { probes, stored: Some(Box::new(inner)), ..Lineage::default() }
    }

    /// A column that is computed from others of its table, by `USING` or because it is generated.
    fn alter(&mut self, alter: &AlterTableStmt, at: At<'_>) {
        let Some(relation) = &alter.relation else { return };
        let item = self.relation_item(&relation.schemaname, &relation.relname, at);
        let known = self.relation(&relation.schemaname, &relation.relname, at);
        let scope = Scope::new(vec![item], None);
        let at = At { scope: Some(&scope), ..at };
        for node in &alter.cmds {
            let Some(Enum::AlterTableCmd(command)) = &node.node else { continue };
            let Some(Enum::ColumnDef(column)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
                continue;
            };
            let name = if command.name.is_empty() { &column.colname } else { &command.name };
            let mut origin = Origin::default();
            for expression in computed_by(column) {
                let value = self.value(expression, at);
                self.add(&mut origin, &value.origin);
            }
            self.carry(destination(known.as_deref(), relation, name), origin);
        }
    }
}

/// The expressions that a column's definition computes it by.
fn computed_by(column: &ColumnDef) -> impl Iterator<Item = &Node> {
    let generated = column.constraints.iter().filter_map(|node| match &node.node {
        Some(Enum::Constraint(constraint)) => constraint.raw_expr.as_deref(),
        _ => None,
    });
    column.raw_default.as_deref().into_iter().chain(generated)
}
