//! Expressions: columns, function calls and queries inside them.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{AIndirection, ColumnRef, FuncCall, SubLink};

use super::functions::{self, Judgement, judge};
use super::{Reader, children, names};
use crate::{Object, QualifiedName, SessionChange, vocabulary};

/// Stands for every column of a relation.
const ALL: &str = "*";

impl Reader {
    /// Reads an expression, or a list of them.
    pub(super) fn expression(&mut self, node: &Node) {
        // A list may hold nothing, as in a bound that is left open.
        let Some(node) = &node.node else { return };
        match node {
            Enum::ColumnRef(column) => self.column(column),
            Enum::FuncCall(call) => self.call(call),
            Enum::SubLink(link) => self.sub_link(link),
            Enum::SelectStmt(_)
            | Enum::InsertStmt(_)
            | Enum::UpdateStmt(_)
            | Enum::DeleteStmt(_)
            | Enum::MergeStmt(_) => {
                self.query(node);
            }
            Enum::AIndirection(indirection) => {
                self.fields(indirection);
                self.parts(node);
            }
            Enum::AExpr(expression) => {
                self.operator(&expression.name);
                self.parts(node);
            }
            Enum::SortBy(sort) => {
                self.operator(&sort.use_op);
                self.parts(node);
            }
            Enum::Constraint(constraint) => self.constraint(constraint),
            _ => self.parts(node),
        }
    }

    pub(super) fn expressions(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.expression(node);
        }
    }

    pub(super) fn maybe(&mut self, node: &Option<Box<Node>>) {
        if let Some(node) = node {
            self.expression(node);
        }
    }

    fn parts(&mut self, node: &Enum) {
        if !children::children(node, &mut |child| self.expression(child)) {
            self.unknown = true;
        }
    }

    fn sub_link(&mut self, link: &SubLink) {
        self.operator(&link.oper_name);
        self.maybe(&link.testexpr);
        self.maybe(&link.subselect);
    }

    /// An operator of a schema of its own is a function that someone has made.
    pub(super) fn operator(&mut self, name: &[Node]) {
        if let [schema, operator] = names::strings(name)[..]
            && schema != "pg_catalog"
        {
            self.draft.function(&format!("{schema}.{operator}"));
        }
    }

    fn column(&mut self, column: &ColumnRef) {
        self.seen.columns += 1;
        let fields: Vec<&str> = column.fields.iter().filter_map(field).collect();
        match fields[..] {
            [] => {}
            [name] => self.bare_column(name),
            [.., of, name] => self.column_of(of, name),
        }
    }

    /// A name alone may belong to every relation of the queries around it.
    fn bare_column(&mut self, name: &str) {
        let around = if name == ALL { self.scopes.len().saturating_sub(1) } else { 0 };
        for entry in self.scopes.iter().skip(around).flat_map(|scope| &scope.entries) {
            let Some(place) = entry.place else { continue };
            self.draft.column(place, name);
            if *entry.name == *name {
                self.draft.column(place, ALL);
            }
        }
    }

    fn column_of(&mut self, of: &str, name: &str) {
        let entries = self.scopes.iter().rev().flat_map(|scope| &scope.entries);
        match entries.filter(|entry| *entry.name == *of).find_map(|entry| entry.place) {
            Some(place) => self.draft.column(place, name),
            // What a function in FROM gives need not be a row, and then this calls another one.
            None => self.column_call(functions::judge_column(name), name),
        }
    }

    /// Fields of a row, or functions called as if they were. Only for what is a plain value is it
    /// certain which; a function of someone's own on anything else is not told from a field.
    fn fields(&mut self, indirection: &AIndirection) {
        let of = indirection.arg.as_ref().and_then(|arg| arg.node.as_ref());
        for name in names::strings(&indirection.indirection) {
            let judgement = match of {
                Some(of) if is_plain(of) => Some(judge(&[name])),
                _ => functions::judge_column(name),
            };
            self.column_call(judgement, name);
        }
    }

    fn column_call(&mut self, judgement: Option<Judgement>, name: &str) {
        if let Some(judgement) = judgement.filter(|judgement| *judgement != Judgement::Pure) {
            self.called(judgement, QualifiedName { database: None, schema: None, name: name.into() }, None);
        }
    }

    /// Reads a function call and its arguments.
    pub(super) fn call(&mut self, call: &FuncCall) {
        self.arguments(call);
        let parts = names::strings(&call.funcname);
        let judgement = judge(&parts);
        if judgement != Judgement::Pure {
            self.called(judgement, names::qualified(&parts), Some(call));
        }
    }

    fn called(&mut self, judgement: Judgement, name: QualifiedName, call: Option<&FuncCall>) {
        self.draft.function(&written(&name));
        self.routine(vocabulary::EXECUTE, name.clone());
        match judgement {
            Judgement::Pure | Judgement::Foreign => {}
            Judgement::RunsText => self.draft.opaque(),
            Judgement::Server => self.routine(vocabulary::SERVER, name),
            Judgement::ServerText => {
                self.draft.opaque();
                self.routine(vocabulary::SERVER, name);
            }
            Judgement::Maintains => self.routine(vocabulary::MAINTAIN, name),
            Judgement::Replicates => self.routine(vocabulary::REPLICATION, name),
            Judgement::Sets => self.set_config(call.and_then(|call| call.args.first())),
        }
    }

    /// Reads what a call is made with, not the call itself.
    pub(super) fn arguments(&mut self, call: &FuncCall) {
        self.seen.calls += 1;
        self.expressions(&call.args);
        self.expressions(&call.agg_order);
        self.maybe(&call.agg_filter);
        children::window(call.over.as_deref(), &mut |child| self.expression(child));
    }

    /// `set_config` is `SET` by another name. Whether and when it runs is not followed.
    fn set_config(&mut self, name: Option<&Node>) {
        self.depends_on_literals = true;
        match name.and_then(literal) {
            Some(name) => {
                let name: Box<str> = name.to_ascii_lowercase().into();
                self.effect(vocabulary::SESSION, Object::Setting(name.clone()));
                self.changes(SessionChange::Set { name, values: None, local: false });
            }
            None => {
                self.draft.opaque();
                self.database(vocabulary::SESSION);
                self.changes(SessionChange::Unknown);
            }
        }
    }
}

/// Whether an expression is certainly no row: a literal, or one of a type that the grammar names.
fn is_plain(node: &Enum) -> bool {
    const PLAIN: [&str; 10] = ["bytea", "date", "json", "jsonb", "name", "oid", "regclass", "text", "uuid", "xml"];
    match node {
        Enum::AConst(_) | Enum::SqlvalueFunction(_) => true,
        Enum::TypeCast(cast) => cast.type_name.as_ref().is_some_and(|name| match names::strings(&name.names)[..] {
            ["pg_catalog", name] => name != "record",
            [name] => PLAIN.contains(&name),
            _ => false,
        }),
        _ => false,
    }
}

fn field(node: &Node) -> Option<&str> {
    match &node.node {
        Some(Enum::AStar(_)) => Some(ALL),
        _ => names::string(node),
    }
}

/// The text of a string literal.
pub(crate) fn literal(node: &Node) -> Option<&str> {
    use pg_query::protobuf::a_const::Val;
    match &node.node {
        Some(Enum::AConst(constant)) => match &constant.val {
            Some(Val::Sval(text)) => Some(&text.sval),
            _ => None,
        },
        _ => None,
    }
}

fn written(name: &QualifiedName) -> String {
    match &name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.to_string(),
    }
}
