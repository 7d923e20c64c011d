//! The name that PostgreSQL gives to an output that has none.
//!
//! After `FigureColname` in PostgreSQL's `parse_target.c`. It matters beyond show: a subquery's
//! columns are found by these names.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{AExprKind, JsonExprOp, MinMaxOp, SqlValueFunctionOp, SubLink, SubLinkType, XmlExprOp};

use super::super::effects::names;

/// How much a name counts: one that comes from a type gives way to one that comes from a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Weak,
    Strong,
}

/// The name of an output whose name is that of the first column of a `*`. It may be any.
pub(super) const UNTOLD: &str = "*";

type Name<'n> = Option<(&'n str, Strength)>;

/// The name of an output that is given none.
pub(super) fn column(node: &Node) -> &str {
    name(node).map_or("?column?", |(name, _)| name)
}

const fn strong(name: &str) -> Name<'_> {
    Some((name, Strength::Strong))
}

fn name(node: &Node) -> Name<'_> {
    match node.node.as_ref()? {
        Enum::ColumnRef(column) => names::strings(&column.fields).last().and_then(|name| strong(name)),
        Enum::AIndirection(indirection) => match names::strings(&indirection.indirection).last() {
            Some(field) => strong(field),
            None => name(indirection.arg.as_ref()?),
        },
        Enum::FuncCall(call) => names::strings(&call.funcname).last().and_then(|name| strong(name)),
        Enum::AExpr(expression) if expression.kind() == AExprKind::AexprNullif => strong("nullif"),
        Enum::TypeCast(cast) => {
            let of_type = || cast.type_name.as_ref().and_then(|name| names::strings(&name.names).last().copied());
            or_weak(cast.arg.as_deref(), of_type())
        }
        Enum::CollateClause(collate) => name(collate.arg.as_ref()?),
        Enum::CaseExpr(case) => or_weak(case.defresult.as_deref(), Some("case")),
        Enum::SubLink(link) => sub_link(link),
        node => fixed(node).and_then(strong),
    }
}

/// The strong name of `of`, or else `weak`.
fn or_weak<'n>(of: Option<&'n Node>, weak: Option<&'n str>) -> Name<'n> {
    match of.and_then(name) {
        Some((name, Strength::Strong)) => strong(name),
        other => weak.map(|weak| (weak, Strength::Weak)).or(other),
    }
}

/// The names of what has no name in it.
fn fixed(node: &Enum) -> Option<&'static str> {
    Some(match node {
        Enum::GroupingFunc(_) => "grouping",
        Enum::MergeSupportFunc(_) => "merge_action",
        Enum::AArrayExpr(_) => "array",
        Enum::RowExpr(_) => "row",
        Enum::CoalesceExpr(_) => "coalesce",
        Enum::MinMaxExpr(expression) => match expression.op() {
            MinMaxOp::IsGreatest => "greatest",
            MinMaxOp::IsLeast | MinMaxOp::Undefined => "least",
        },
        Enum::SqlvalueFunction(function) => sql_value(function.op()),
        Enum::XmlExpr(xml) => match xml.op() {
            XmlExprOp::IsXmlconcat => "xmlconcat",
            XmlExprOp::IsXmlelement => "xmlelement",
            XmlExprOp::IsXmlforest => "xmlforest",
            XmlExprOp::IsXmlparse => "xmlparse",
            XmlExprOp::IsXmlpi => "xmlpi",
            XmlExprOp::IsXmlroot => "xmlroot",
            XmlExprOp::IsXmlserialize => "xmlserialize",
            XmlExprOp::IsDocument | XmlExprOp::Undefined => return None,
        },
        Enum::XmlSerialize(_) => "xmlserialize",
        Enum::JsonParseExpr(_) => "json",
        Enum::JsonScalarExpr(_) => "json_scalar",
        Enum::JsonSerializeExpr(_) => "json_serialize",
        Enum::JsonObjectConstructor(_) => "json_object",
        Enum::JsonArrayConstructor(_) | Enum::JsonArrayQueryConstructor(_) => "json_array",
        Enum::JsonObjectAgg(_) => "json_objectagg",
        Enum::JsonArrayAgg(_) => "json_arrayagg",
        Enum::JsonFuncExpr(json) => match json.op() {
            JsonExprOp::JsonExistsOp => "json_exists",
            JsonExprOp::JsonQueryOp => "json_query",
            JsonExprOp::JsonValueOp => "json_value",
            JsonExprOp::JsonTableOp | JsonExprOp::Undefined => return None,
        },
        _ => return None,
    })
}

fn is_star(node: &Node) -> bool {
    let last = match &node.node {
        Some(Enum::ColumnRef(column)) => column.fields.last(),
        Some(Enum::AIndirection(indirection)) => indirection.indirection.last(),
        _ => None,
    };
    matches!(last.and_then(|last| last.node.as_ref()), Some(Enum::AStar(_)))
}

fn sub_link(link: &SubLink) -> Name<'_> {
    match link.sub_link_type() {
        SubLinkType::ExistsSublink => strong("exists"),
        SubLinkType::ArraySublink => strong("array"),
        SubLinkType::ExprSublink => {
            let Some(Enum::SelectStmt(query)) = link.subselect.as_ref()?.node.as_ref() else { return None };
            let mut query = &**query;
            while let Some(left) = &query.larg {
                query = left;
            }
            match query.target_list.first().and_then(|target| target.node.as_ref()) {
                Some(Enum::ResTarget(target)) if target.val.as_deref().is_some_and(is_star) => strong(UNTOLD),
                Some(Enum::ResTarget(target)) if !target.name.is_empty() => strong(&target.name),
                Some(Enum::ResTarget(target)) => strong(column(target.val.as_ref()?)),
                _ => strong("column1"),
            }
        }
        _ => None,
    }
}

const fn sql_value(function: SqlValueFunctionOp) -> &'static str {
    match function {
        SqlValueFunctionOp::SvfopCurrentDate => "current_date",
        SqlValueFunctionOp::SvfopCurrentTime | SqlValueFunctionOp::SvfopCurrentTimeN => "current_time",
        SqlValueFunctionOp::SvfopCurrentTimestamp | SqlValueFunctionOp::SvfopCurrentTimestampN => "current_timestamp",
        SqlValueFunctionOp::SvfopLocaltime | SqlValueFunctionOp::SvfopLocaltimeN => "localtime",
        SqlValueFunctionOp::SvfopLocaltimestamp | SqlValueFunctionOp::SvfopLocaltimestampN => "localtimestamp",
        SqlValueFunctionOp::SvfopCurrentRole => "current_role",
        SqlValueFunctionOp::SvfopCurrentUser => "current_user",
        SqlValueFunctionOp::SvfopUser => "user",
        SqlValueFunctionOp::SvfopSessionUser => "session_user",
        SqlValueFunctionOp::SvfopCurrentCatalog => "current_catalog",
        SqlValueFunctionOp::SvfopCurrentSchema => "current_schema",
        SqlValueFunctionOp::SqlvalueFunctionOpUndefined => "?column?",
    }
}
