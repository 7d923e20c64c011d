//! Whether a condition limits a write at all.
//!
//! It looks at form alone. Who means to write every row can still write a condition that all rows
//! meet; this finds what is written without one, or with one that no row has a say in.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, a_const::Val};

use super::{children, names};

/// Whether a write to the relation called `name` under this condition may be one to all rows,
/// whatever they hold: no condition, or one that names no column that could be the relation's.
pub(crate) fn is_open(condition: Option<&Node>, name: &str) -> bool {
    let Some(node) = condition.and_then(|condition| condition.node.as_ref()) else { return true };
    match node {
        Enum::BoolExpr(bool) => match bool.boolop() {
            BoolExprType::OrExpr => bool.args.iter().any(|arg| is_open(Some(arg), name)),
            _ => bool.args.iter().all(|arg| is_open(Some(arg), name)),
        },
        // `false` and `null` hold for no row.
        Enum::AConst(constant) if constant.isnull || matches!(&constant.val, Some(Val::Boolval(b)) if !b.boolval) => {
            false
        }
        Enum::AExpr(expression) if compares_with_itself(expression) => true,
        _ => !depends_on(node, name),
    }
}

fn depends_on(node: &Enum, name: &str) -> bool {
    match node {
        Enum::CurrentOfExpr(_) => true,
        Enum::ColumnRef(column) => match column.fields.as_slice() {
            [.., of, _] => names::string(of).is_some_and(|of| of == name),
            _ => true,
        },
        Enum::FuncCall(call) => any(&call.args, name) || call.agg_filter.as_deref().is_some_and(|node| one(node, name)),
        Enum::SubLink(link) => [&link.testexpr, &link.subselect].into_iter().flatten().any(|node| one(node, name)),
        // A query in a condition may look at the row through any of its parts.
        Enum::SelectStmt(select) => {
            let parts = [&select.target_list, &select.from_clause, &select.group_clause, &select.sort_clause];
            let clauses = [&select.where_clause, &select.having_clause];
            parts.into_iter().any(|nodes| any(nodes, name))
                || any(&select.values_lists, name)
                || clauses.into_iter().flatten().any(|node| one(node, name))
                || select.larg.is_some()
                || select.with_clause.is_some()
        }
        Enum::RangeVar(_) => false,
        _ => {
            let mut depends = false;
            let known = children::children(node, &mut |child| depends |= one(child, name));
            depends || !known
        }
    }
}

fn any(nodes: &[Node], name: &str) -> bool {
    nodes.iter().any(|node| one(node, name))
}

fn one(node: &Node, name: &str) -> bool {
    node.node.as_ref().is_some_and(|node| depends_on(node, name))
}

/// `x = x` and its like.
fn compares_with_itself(expression: &AExpr) -> bool {
    let column = |node: &Option<Box<Node>>| match node.as_ref().and_then(|node| node.node.as_ref()) {
        Some(Enum::ColumnRef(column)) => Some(column.fields.clone()),
        _ => None,
    };
    let same = column(&expression.lexpr).is_some_and(|left| Some(left) == column(&expression.rexpr));
    same && expression.kind() == AExprKind::AexprOp
        && matches!(names::strings(&expression.name)[..], ["=" | ">=" | "<="])
}
