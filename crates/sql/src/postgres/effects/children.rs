//! The parts of every node that can be part of an expression and has no meaning of its own here.
//!
//! A node that is not listed has unknown parts, which makes the statement unknown.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    JsonAggConstructor, JsonBehavior, JsonKeyValue, JsonOutput, JsonTablePathSpec, JsonValueExpr, TypeName, WindowDef,
};

type Visit<'v> = &'v mut dyn FnMut(&Node);

/// Visits the parts of `node`, in no particular order. False if it is not known which they are.
pub(crate) fn children(node: &Enum, visit: Visit<'_>) -> bool {
    match node {
        Enum::AConst(_)
        | Enum::AStar(_)
        | Enum::ParamRef(_)
        | Enum::String(_)
        | Enum::Integer(_)
        | Enum::Float(_)
        | Enum::Boolean(_)
        | Enum::BitString(_)
        | Enum::SqlvalueFunction(_)
        | Enum::SetToDefault(_)
        | Enum::CurrentOfExpr(_)
        | Enum::MergeSupportFunc(_)
        | Enum::RoleSpec(_)
        | Enum::ReturningOption(_)
        | Enum::JsonFormat(_)
        | Enum::TriggerTransition(_)
        | Enum::ReplicaIdentityStmt(_)
        | Enum::AtalterConstraint(_)
        | Enum::AccessPriv(_)
        | Enum::Alias(_)
        | Enum::PublicationObjSpec(_) => true,
        Enum::List(list) => all(&list.items, visit),
        Enum::TypeName(name) => type_name(Some(name), visit),
        Enum::TypeCast(cast) => one(&cast.arg, visit) && type_name(cast.type_name.as_ref(), visit),
        Enum::CollateClause(collate) => one(&collate.arg, visit),
        Enum::AExpr(expression) => one(&expression.lexpr, visit) && one(&expression.rexpr, visit),
        Enum::BoolExpr(expression) => all(&expression.args, visit),
        Enum::NullTest(test) => one(&test.arg, visit),
        Enum::BooleanTest(test) => one(&test.arg, visit),
        Enum::CaseExpr(case) => one(&case.arg, visit) && all(&case.args, visit) && one(&case.defresult, visit),
        Enum::CaseWhen(when) => one(&when.expr, visit) && one(&when.result, visit),
        Enum::CoalesceExpr(coalesce) => all(&coalesce.args, visit),
        Enum::MinMaxExpr(expression) => all(&expression.args, visit),
        Enum::RowExpr(row) => all(&row.args, visit),
        Enum::AArrayExpr(array) => all(&array.elements, visit),
        Enum::AIndices(indices) => one(&indices.lidx, visit) && one(&indices.uidx, visit),
        Enum::AIndirection(indirection) => one(&indirection.arg, visit) && all(&indirection.indirection, visit),
        Enum::NamedArgExpr(named) => one(&named.arg, visit),
        Enum::MultiAssignRef(assigned) => one(&assigned.source, visit),
        Enum::ResTarget(target) => all(&target.indirection, visit) && one(&target.val, visit),
        Enum::SortBy(sort) => one(&sort.node, visit),
        Enum::GroupingFunc(grouping) => all(&grouping.args, visit),
        Enum::GroupingSet(set) => all(&set.content, visit),
        Enum::WindowDef(window) => self::window(Some(window), visit),
        Enum::ReturnStmt(statement) => one(&statement.returnval, visit),
        _ => xml_or_json(node, visit) || definition(node, visit),
    }
}

fn xml_or_json(node: &Enum, visit: Visit<'_>) -> bool {
    match node {
        Enum::XmlExpr(xml) => all(&xml.named_args, visit) && all(&xml.args, visit),
        Enum::XmlSerialize(xml) => one(&xml.expr, visit) && type_name(xml.type_name.as_ref(), visit),
        Enum::JsonValueExpr(value) => json_value(Some(value), visit),
        Enum::JsonIsPredicate(predicate) => one(&predicate.expr, visit),
        Enum::JsonParseExpr(json) => json_value(json.expr.as_deref(), visit) && output(json.output.as_ref(), visit),
        Enum::JsonScalarExpr(json) => one(&json.expr, visit) && output(json.output.as_ref(), visit),
        Enum::JsonSerializeExpr(json) => json_value(json.expr.as_deref(), visit) && output(json.output.as_ref(), visit),
        Enum::JsonKeyValue(pair) => key_value(Some(pair), visit),
        Enum::JsonObjectConstructor(json) => all(&json.exprs, visit) && output(json.output.as_ref(), visit),
        Enum::JsonArrayConstructor(json) => all(&json.exprs, visit) && output(json.output.as_ref(), visit),
        Enum::JsonArrayQueryConstructor(json) => one(&json.query, visit) && output(json.output.as_ref(), visit),
        Enum::JsonObjectAgg(json) => {
            aggregate(json.constructor.as_deref(), visit) && key_value(json.arg.as_deref(), visit)
        }
        Enum::JsonArrayAgg(json) => {
            aggregate(json.constructor.as_deref(), visit) && json_value(json.arg.as_deref(), visit)
        }
        Enum::JsonArgument(argument) => json_value(argument.val.as_deref(), visit),
        Enum::JsonBehavior(behaviour) => self::behaviour(Some(behaviour), visit),
        Enum::JsonFuncExpr(json) => {
            json_value(json.context_item.as_deref(), visit)
                && one(&json.pathspec, visit)
                && all(&json.passing, visit)
                && output(json.output.as_ref(), visit)
                && behaviour(json.on_empty.as_deref(), visit)
                && behaviour(json.on_error.as_deref(), visit)
        }
        Enum::JsonTablePathSpec(path) => self::path(Some(path), visit),
        Enum::JsonTable(table) => {
            json_value(table.context_item.as_deref(), visit)
                && path(table.pathspec.as_deref(), visit)
                && all(&table.passing, visit)
                && all(&table.columns, visit)
                && behaviour(table.on_error.as_deref(), visit)
        }
        Enum::JsonTableColumn(column) => {
            type_name(column.type_name.as_ref(), visit)
                && path(column.pathspec.as_deref(), visit)
                && all(&column.columns, visit)
                && behaviour(column.on_empty.as_deref(), visit)
                && behaviour(column.on_error.as_deref(), visit)
        }
        _ => false,
    }
}

fn definition(node: &Enum, visit: Visit<'_>) -> bool {
    match node {
        Enum::DefElem(element) => one(&element.arg, visit),
        Enum::IndexElem(element) => one(&element.expr, visit) && all(&element.opclassopts, visit),
        Enum::PartitionElem(element) => one(&element.expr, visit),
        Enum::PartitionSpec(spec) => all(&spec.part_params, visit),
        Enum::PartitionBoundSpec(bound) => {
            all(&bound.listdatums, visit) && all(&bound.lowerdatums, visit) && all(&bound.upperdatums, visit)
        }
        Enum::StatsElem(element) => one(&element.expr, visit),
        Enum::ColumnDef(column) => {
            type_name(column.type_name.as_ref(), visit)
                && one(&column.raw_default, visit)
                && all(&column.constraints, visit)
                && all(&column.fdwoptions, visit)
        }
        Enum::FunctionParameter(parameter) => {
            type_name(parameter.arg_type.as_ref(), visit) && one(&parameter.defexpr, visit)
        }
        Enum::ObjectWithArgs(object) => all(&object.objargs, visit) && all(&object.objfuncargs, visit),
        Enum::CreateOpClassItem(item) => all(&item.class_args, visit) && type_name(item.storedtype.as_ref(), visit),
        Enum::RangeTableFuncCol(column) => {
            type_name(column.type_name.as_ref(), visit) && one(&column.colexpr, visit) && one(&column.coldefexpr, visit)
        }
        _ => false,
    }
}

fn one(node: &Option<Box<Node>>, visit: Visit<'_>) -> bool {
    if let Some(node) = node {
        visit(node);
    }
    true
}

fn all(nodes: &[Node], visit: Visit<'_>) -> bool {
    nodes.iter().for_each(visit);
    true
}

fn type_name(name: Option<&TypeName>, visit: Visit<'_>) -> bool {
    name.is_none_or(|name| all(&name.typmods, visit) && all(&name.array_bounds, visit))
}

/// The parts of a window definition.
pub(crate) fn window(window: Option<&WindowDef>, visit: Visit<'_>) -> bool {
    window.is_none_or(|window| {
        all(&window.partition_clause, visit)
            && all(&window.order_clause, visit)
            && one(&window.start_offset, visit)
            && one(&window.end_offset, visit)
    })
}

fn json_value(value: Option<&JsonValueExpr>, visit: Visit<'_>) -> bool {
    value.is_none_or(|value| one(&value.raw_expr, visit) && one(&value.formatted_expr, visit))
}

fn key_value(pair: Option<&JsonKeyValue>, visit: Visit<'_>) -> bool {
    pair.is_none_or(|pair| one(&pair.key, visit) && json_value(pair.value.as_deref(), visit))
}

fn aggregate(aggregate: Option<&JsonAggConstructor>, visit: Visit<'_>) -> bool {
    aggregate.is_none_or(|aggregate| {
        output(aggregate.output.as_ref(), visit)
            && one(&aggregate.agg_filter, visit)
            && all(&aggregate.agg_order, visit)
            && window(aggregate.over.as_deref(), visit)
    })
}

fn behaviour(behaviour: Option<&JsonBehavior>, visit: Visit<'_>) -> bool {
    behaviour.is_none_or(|behaviour| one(&behaviour.expr, visit))
}

fn path(path: Option<&JsonTablePathSpec>, visit: Visit<'_>) -> bool {
    path.is_none_or(|path| one(&path.string, visit))
}

fn output(output: Option<&JsonOutput>, visit: Visit<'_>) -> bool {
    output.is_none_or(|output| type_name(output.type_name.as_ref(), visit))
}
