//! Expressions: what a value is computed from.
//!
//! Whatever has no rule of its own is computed from all of its parts. A node whose parts are not
//! known is unknown.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    AExpr, AExprKind, AIndirection, ColumnRef, JsonAggConstructor, SubLink, SubLinkType, TypeName,
};

use super::super::effects::{children, names};
use super::origin::{Columns, Origin};
use super::scope::{At, Meaning};
use super::targets;
use super::tracer::Tracer;
use super::{Callable, Callee, RelationName};

/// What a value is computed from.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub(super) origin: Origin,
    /// Whether it is the value of a stored column, unchanged.
    pub(super) plain: bool,
}

impl From<Origin> for Value {
    fn from(origin: Origin) -> Self {
        Self { origin, plain: false }
    }
}

const NOT_UNDERSTOOD: Origin = Origin::Unknown("an expression is not understood");
const TOO_DEEP: Origin = Origin::Unknown("an expression is nested too deep");

impl Tracer<'_> {
    pub(super) fn value(&mut self, node: &Node, at: At<'_>) -> Value {
        // A list may hold nothing, as in a bound that is left open.
        let Some(node) = &node.node else { return Value::default() };
        self.deeper(|| TOO_DEEP.into(), |tracer| tracer.value_of(node, at))
    }

    fn value_of(&mut self, node: &Enum, at: At<'_>) -> Value {
        match node {
            Enum::ColumnRef(column) => return self.column(column, at),
            Enum::FuncCall(call) => self.call(call, at),
            Enum::SubLink(link) => self.sub_link(link, at),
            Enum::SelectStmt(_) => self.rows_in_expression(node, at),
            Enum::AIndirection(indirection) => self.part_of(indirection, at),
            Enum::AExpr(expression) => self.operation(expression, at),
            Enum::TypeCast(cast) => {
                let by = self.cast(cast.type_name.as_ref(), at);
                self.parts(node, at).and(&by)
            }
            Enum::NullTest(test) => {
                let value = test.arg.as_ref().map(|arg| self.value(arg, at)).unwrap_or_default();
                return self.counted(value).into();
            }
            // It tells which grouping set a row is of.
            Enum::GroupingFunc(_) => {
                let grouped = self.parts(node, at);
                self.probe(&grouped);
                Origin::default()
            }
            Enum::CaseExpr(case) => {
                let conditions = case.args.iter().filter_map(|arm| match &arm.node {
                    Some(Enum::CaseWhen(arm)) => arm.expr.as_deref(),
                    _ => None,
                });
                for condition in case.arg.as_deref().into_iter().chain(conditions) {
                    self.probe_value(condition, at);
                }
                let by = if case.arg.is_some() { self.operator(None, "=", at) } else { Origin::default() };
                self.parts(node, at).and(&by)
            }
            Enum::JsonObjectAgg(aggregate) => self.aggregate(node, aggregate.constructor.as_deref(), at),
            Enum::JsonArrayAgg(aggregate) => self.aggregate(node, aggregate.constructor.as_deref(), at),
            Enum::JsonArrayQueryConstructor(json) => {
                json.query.as_ref().map_or(NOT_UNDERSTOOD, |query| self.value(query, at).origin)
            }
            _ => self.parts(node, at),
        }
        .into()
    }

    /// What is computed from all parts of a node.
    fn parts(&mut self, node: &Enum, at: At<'_>) -> Origin {
        let mut origin = Origin::default();
        let known = children::children(node, &mut |part| {
            let value = self.value(part, at);
            self.add(&mut origin, &value.origin);
        });
        if known { origin } else { NOT_UNDERSTOOD }
    }

    pub(super) fn parts_of(&mut self, nodes: &[Node], at: At<'_>) -> Origin {
        let mut origin = Origin::default();
        for node in nodes {
            let value = self.sorted(node, at);
            self.add(&mut origin, &value);
        }
        origin
    }

    /// The number or the absence of values: clean where they are those of a column as it is stored.
    /// Of what is computed they answer a question.
    pub(super) fn counted(&mut self, value: Value) -> Origin {
        if !value.plain || matches!(value.origin, Origin::Unknown(_)) {
            return value.origin;
        }
        self.probe(&value.origin);
        Origin::default()
    }

    fn column(&mut self, column: &ColumnRef, at: At<'_>) -> Value {
        let parts = names::strings(&column.fields);
        let is_row = parts.len() < column.fields.len();
        let meaning = match (&parts[..], is_row) {
            ([name], false) => at.name(name),
            ([relation, name], false) => at.name_of(None, relation, name),
            ([.., schema, relation, name], false) => at.name_of(Some(schema), relation, name),
            (_, true) => {
                let row = self.starred(&Node { node: Some(Enum::ColumnRef(column.clone())) }, at);
                return row.unwrap_or_default().whole().into();
            }
            ([], false) => Meaning::Value(NOT_UNDERSTOOD, false),
        };
        match meaning {
            Meaning::Value(origin, plain) => {
                self.charge(origin.size());
                Value { origin, plain }
            }
            Meaning::Row(row) => {
                self.charge(row.size());
                row.whole().into()
            }
            Meaning::FieldOf(row) => {
                self.charge(row.size());
                self.field(parts.last().copied().unwrap_or_default(), row.whole(), at).into()
            }
        }
    }

    /// Parts of a value: elements of an array, fields of a row.
    pub(super) fn part_of(&mut self, indirection: &AIndirection, at: At<'_>) -> Origin {
        let Some(of) = &indirection.arg else { return NOT_UNDERSTOOD };
        let mut steps = indirection.indirection.iter();
        let row = targets::row(of, at);
        let first = indirection.indirection.first().and_then(names::string);
        let mut origin = match row.as_deref().zip(first).and_then(|(row, name)| own_field(row, name)) {
            Some(origin) => {
                steps.next();
                origin
            }
            None => self.value(of, at).origin,
        };
        for step in steps {
            match &step.node {
                Some(Enum::String(name)) => origin = self.field(&name.sval, origin, at),
                Some(Enum::AStar(_)) => {}
                _ => {
                    let index = self.value(step, at);
                    self.add(&mut origin, &index.origin);
                }
            }
        }
        origin
    }

    fn sub_link(&mut self, link: &SubLink, at: At<'_>) -> Origin {
        let by = match (link.sub_link_type(), &link.oper_name[..]) {
            (SubLinkType::AnySublink, []) => self.operator(None, "=", at),
            (_, name) => self.operators(name, at),
        };
        let query = link.subselect.as_deref();
        let (rows, probes) = self.apart(|tracer| tracer.maybe_query(query, at));
        let mut origin = probes.and(&by);
        if let Some(test) = &link.testexpr {
            let value = self.value(test, at);
            self.add(&mut origin, &value.origin);
        }
        // Whether there is a row does not depend on what is in it.
        if link.sub_link_type() != SubLinkType::ExistsSublink {
            self.charge(rows.size());
            origin.add(&rows.whole());
        }
        origin
    }

    fn rows_in_expression(&mut self, query: &Enum, at: At<'_>) -> Origin {
        let (rows, probes) = self.apart(|tracer| tracer.query(query, at));
        probes.and(&rows.whole())
    }

    fn operation(&mut self, expression: &AExpr, at: At<'_>) -> Origin {
        let mut origin = match expression.kind() {
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => self.operator(None, ">=", at).and(&self.operator(None, "<=", at)),
            _ => self.operators(&expression.name, at),
        };
        for side in [&expression.lexpr, &expression.rexpr].into_iter().flatten() {
            let value = self.value(side, at);
            self.add(&mut origin, &value.origin);
        }
        origin
    }

    /// What comes of using an operator: nothing, where it computes from its operands alone.
    pub(super) fn operators(&mut self, name: &[Node], at: At<'_>) -> Origin {
        match names::strings(name)[..] {
            [] => Origin::default(),
            [name] => self.operator(None, name, at),
            [.., schema, name] => self.operator(Some(schema), name, at),
        }
    }

    fn operator(&mut self, schema: Option<&str>, name: &str, at: At<'_>) -> Origin {
        self.runs(schema, name, Callable::Operator, at)
    }

    fn cast(&mut self, to: Option<&TypeName>, at: At<'_>) -> Origin {
        match to.map(|to| names::strings(&to.names)).as_deref() {
            None | Some([]) => NOT_UNDERSTOOD,
            Some([name]) => self.runs(None, name, Callable::Type, at),
            Some([.., schema, name]) => self.runs(Some(schema), name, Callable::Type, at),
        }
    }

    /// What comes of something that may run code: nothing, where it computes from what it is given.
    fn runs(&mut self, schema: Option<&str>, name: &str, kind: fn(RelationName) -> Callable, at: At<'_>) -> Origin {
        if schema == Some("pg_catalog") || (at.stored && schema.is_none()) {
            return Origin::default();
        }
        let name = RelationName { schema: schema.map(Into::into), name: name.into() };
        match self.callee(kind(name)) {
            Some(Callee::BuiltIn | Callee::FromArguments) => Origin::default(),
            // The target refuses what does not exist.
            Some(Callee::Anything) | None => self.anything(),
        }
    }

    fn aggregate(&mut self, node: &Enum, constructor: Option<&JsonAggConstructor>, at: At<'_>) -> Origin {
        let over = self.over(constructor.and_then(|constructor| constructor.over.as_deref()), at);
        self.parts(node, at).and(&over)
    }
}

/// The field of a row that is known column by column.
fn own_field(row: &Columns, name: &str) -> Option<Origin> {
    let mut named = row.outputs().filter(|output| *output.name == *name);
    match (named.next(), named.next()) {
        (Some(output), None) if row.gap.is_none() => Some(output.origin.clone()),
        _ => None,
    }
}
