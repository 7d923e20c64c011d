//! Queries: what they return, and what decides which rows they return.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{SelectStmt, SetOperation, WindowDef, a_const::Val};

use super::super::effects::names;
use super::origin::{Columns, Origin, Output};
use super::scope::{At, Scope, Tables};
use super::tracer::Tracer;

const NOT_A_QUERY: Origin = Origin::Unknown("a statement that is not understood stands where a query may");
const TOO_DEEP: Origin = Origin::Unknown("a query is nested too deep");

impl Tracer<'_> {
    /// What a query, or a write that stands where a query may, returns.
    pub(super) fn query(&mut self, node: &Enum, at: At<'_>) -> Columns {
        let too_deep = || Columns::any(TOO_DEEP);
        self.deeper(too_deep, |tracer| match node {
            Enum::SelectStmt(select) => tracer.select(select, at),
            Enum::InsertStmt(insert) => tracer.insert(insert, at),
            Enum::UpdateStmt(update) => tracer.update(update, at),
            Enum::DeleteStmt(delete) => tracer.delete(delete, at),
            Enum::MergeStmt(merge) => tracer.merge(merge, at),
            _ => Columns::any(NOT_A_QUERY),
        })
    }

    pub(super) fn maybe_query(&mut self, node: Option<&Node>, at: At<'_>) -> Columns {
        match node.and_then(|node| node.node.as_ref()) {
            Some(node) => self.query(node, at),
            None => Columns::any(NOT_A_QUERY),
        }
    }

    pub(super) fn select(&mut self, select: &SelectStmt, at: At<'_>) -> Columns {
        self.deeper(|| Columns::any(TOO_DEEP), |tracer| tracer.select_with(select, at))
    }

    fn select_with(&mut self, select: &SelectStmt, at: At<'_>) -> Columns {
        let tables = Tables { tables: self.with(select.with_clause.as_ref(), at), outer: at.tables };
        let at = At { tables: Some(&tables), ..at };
        let columns = match (&select.larg, &select.rarg) {
            (Some(left), Some(right)) => self.combine(select, left, right, at),
            _ if !select.values_lists.is_empty() => self.values(select, at),
            _ => self.simple_select(select, at),
        };
        for limit in [&select.limit_count, &select.limit_offset].into_iter().flatten() {
            self.probe_value(limit, at);
        }
        columns
    }

    fn combine(&mut self, select: &SelectStmt, left: &SelectStmt, right: &SelectStmt, at: At<'_>) -> Columns {
        let left = self.select(left, at);
        let right = self.select(right, at);
        self.charge(left.size() + right.size());
        let both = left.or(&right);
        // All but UNION ALL compare the rows of both.
        if !(select.all && select.op() == SetOperation::SetopUnion) {
            self.probe(&both.whole());
        }
        self.arrange(&select.sort_clause, &both, Order::By, at);
        both
    }

    fn values(&mut self, select: &SelectStmt, at: At<'_>) -> Columns {
        let mut rows: Option<Columns> = None;
        for row in &select.values_lists {
            let Some(Enum::List(row)) = &row.node else { return Columns::any(NOT_A_QUERY) };
            let mut columns = Columns::default();
            for (n, value) in row.items.iter().enumerate() {
                match self.starred(value, at) {
                    Some(several) => columns.append(&several),
                    None => {
                        let value = self.value(value, at);
                        let name = format!("column{}", n + 1).into();
                        columns.append(&Columns::each(vec![Output { name, origin: value.origin, plain: value.plain }]));
                    }
                }
            }
            rows = Some(match rows {
                Some(rows) => rows.or(&columns),
                None => columns,
            });
        }
        let rows = rows.unwrap_or_default();
        self.arrange(&select.sort_clause, &rows, Order::By, at);
        rows
    }

    fn simple_select(&mut self, select: &SelectStmt, at: At<'_>) -> Columns {
        let items = self.from(&select.from_clause, at);
        let mut scope = Scope::new(items, at.scope);
        for window in &select.window_clause {
            let Some(Enum::WindowDef(window)) = &window.node else { continue };
            let origin = self.window(window, At { scope: Some(&scope), ..at });
            scope.windows.push((window.name.as_str().into(), origin));
        }
        let at = At { scope: Some(&scope), ..at };
        if let Some(condition) = &select.where_clause {
            self.probe_value(condition, at);
        }
        let outputs = self.targets(&select.target_list, at);
        self.arrange(&select.group_clause, &outputs, Order::Group, at);
        if let Some(condition) = &select.having_clause {
            self.probe_value(condition, at);
        }
        match &select.distinct_clause[..] {
            [] => {}
            // DISTINCT alone is an item that holds nothing.
            [only] if only.node.is_none() => self.probe(&outputs.whole()),
            on => self.arrange(on, &outputs, Order::By, at),
        }
        self.arrange(&select.sort_clause, &outputs, Order::By, at);
        if let Some(into) = &select.into_clause {
            self.makes = Some((**into).clone());
        }
        outputs
    }

    /// Notes what an expression that decides which rows come looks at.
    pub(super) fn probe_value(&mut self, node: &Node, at: At<'_>) {
        let value = self.value(node, at);
        self.probe(&value.origin);
    }

    /// What divides, orders and bounds a window that a WINDOW clause defines. It is a probe, too.
    fn window(&mut self, window: &WindowDef, at: At<'_>) -> Origin {
        let mut origin = Origin::default();
        if !window.refname.is_empty() {
            let base = at.window(&window.refname);
            self.add(&mut origin, &base);
        }
        let lists = window.partition_clause.iter().chain(&window.order_clause);
        let bounds = [&window.start_offset, &window.end_offset].into_iter().flatten().map(|bound| &**bound);
        for node in lists.chain(bounds) {
            let value = self.sorted(node, at);
            self.add(&mut origin, &value);
        }
        self.probe(&origin);
        origin
    }

    /// The same of what stands behind OVER: a definition, or the name of one.
    pub(super) fn over(&mut self, window: Option<&WindowDef>, at: At<'_>) -> Origin {
        let Some(window) = window else { return Origin::default() };
        let mut origin = self.window(window, at);
        if !window.name.is_empty() {
            let named = at.window(&window.name);
            self.add(&mut origin, &named);
        }
        origin
    }

    /// The origin of an item of an ORDER BY, or of an expression.
    pub(super) fn sorted(&mut self, node: &Node, at: At<'_>) -> Origin {
        match &node.node {
            Some(Enum::SortBy(sort)) => {
                let by = self.operators(&sort.use_op, at);
                let mut origin = sort.node.as_ref().map_or_else(Origin::default, |node| self.value(node, at).origin);
                self.add(&mut origin, &by);
                origin
            }
            _ => self.value(node, at).origin,
        }
    }

    /// Notes what rows are ordered, grouped or told apart by. A number or a name may mean an output.
    fn arrange(&mut self, by: &[Node], outputs: &Columns, order: Order, at: At<'_>) {
        for node in by {
            if let Some(Enum::GroupingSet(set)) = &node.node {
                self.arrange(&set.content, outputs, order, at);
                continue;
            }
            if let (Some(Enum::RowExpr(row)), Order::Group) = (&node.node, order) {
                self.arrange(&row.args, outputs, order, at);
                continue;
            }
            let expression = match &node.node {
                Some(Enum::SortBy(sort)) => sort.node.as_deref(),
                _ => Some(node),
            };
            let origin = match expression.and_then(|node| output(node, outputs, order, at)) {
                Some(origin) => origin,
                None => self.sorted(node, at),
            };
            self.probe(&origin);
        }
    }
}

/// What an item of a clause says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// ORDER BY and DISTINCT ON: an output of that name before a column.
    By,
    /// GROUP BY: a column of that name before an output.
    Group,
}

/// The output that an item of a clause means, if it means one.
fn output(node: &Node, outputs: &Columns, order: Order, at: At<'_>) -> Option<Origin> {
    match node.node.as_ref()? {
        Enum::AConst(constant) => match &constant.val {
            Some(Val::Ival(number)) => {
                let index = usize::try_from(number.ival).ok()?.checked_sub(1)?;
                let exact = outputs.gap.is_none().then(|| outputs.first.get(index)).flatten();
                Some(exact.map_or_else(|| outputs.whole(), |output| output.origin.clone()))
            }
            _ => None,
        },
        Enum::ColumnRef(column) => {
            let [name] = names::strings(&column.fields)[..] else { return None };
            if order == Order::Group && at.own_column(name) {
                return None;
            }
            let mut origin: Option<Origin> = None;
            for output in outputs.outputs().filter(|output| *output.name == *name) {
                origin.get_or_insert_default().add(&output.origin);
            }
            // A column of a row of unknown width may have that name.
            if let (None, Some(gap)) = (&origin, &outputs.gap) {
                origin = Some(gap.clone());
            }
            origin
        }
        _ => None,
    }
}
