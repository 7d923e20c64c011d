//! Common table expressions: what each returns, in the order in which they see each other.

use std::rc::Rc;
use std::sync::Arc;

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{CommonTableExpr, WithClause};

use super::super::effects::names;
use super::origin::{Columns, Origin, Output};
use super::scope::{At, Tables};
use super::tracer::Tracer;

/// How often recursive queries are gone through until nothing changes. Each time carries a column
/// one step further, so this is more than any that people write.
const MAX_ROUNDS: usize = 40;

type Named = (Arc<str>, Rc<Columns>);

impl Tracer<'_> {
    /// The tables that a WITH clause names.
    pub(super) fn with(&mut self, with: Option<&WithClause>, at: At<'_>) -> Vec<Named> {
        let Some(with) = with else { return Vec::new() };
        let tables: Vec<&CommonTableExpr> = with.ctes.iter().filter_map(table).collect();
        match with.recursive {
            true => self.recursive(&tables, at),
            false => self.in_order(&tables, at),
        }
    }

    fn in_order(&mut self, tables: &[&CommonTableExpr], at: At<'_>) -> Vec<Named> {
        let mut so_far = Tables { tables: Vec::new(), outer: at.tables };
        for table in tables {
            let columns = self.table(table, At { tables: Some(&so_far), ..at });
            so_far.tables.push((table.ctename.as_str().into(), Rc::new(columns)));
        }
        so_far.tables
    }

    /// Each may see all. They begin as rows of which nothing is known and that are computed from
    /// nothing, and take what their queries say until that no longer changes.
    fn recursive(&mut self, tables: &[&CommonTableExpr], at: At<'_>) -> Vec<Named> {
        let nothing = Rc::new(Columns::any(Origin::default()));
        let named = |table: &&CommonTableExpr| (Arc::from(table.ctename.as_str()), Rc::clone(&nothing));
        let mut seen = Tables { tables: tables.iter().map(named).collect(), outer: at.tables };
        for _ in 0..MAX_ROUNDS {
            let before = seen.tables.clone();
            for (n, table) in tables.iter().enumerate() {
                let columns = self.table(table, At { tables: Some(&seen), ..at });
                if let Some((_, known)) = seen.tables.get_mut(n) {
                    *known = Rc::new(columns);
                }
            }
            if seen.tables == before {
                return seen.tables;
            }
        }
        let unknown = Rc::new(Columns::any(Origin::Unknown("a recursive query is too intricate")));
        seen.tables.into_iter().map(|(name, _)| (name, Rc::clone(&unknown))).collect()
    }

    fn table(&mut self, table: &CommonTableExpr, at: At<'_>) -> Columns {
        let mut columns = self.maybe_query(table.ctequery.as_deref(), at);
        columns.rename(names::strings(&table.aliascolnames).into_iter());
        let mut added = Vec::new();
        if let Some(search) = &table.search_clause {
            let origin = of_these(&columns, &search.search_col_list);
            added.push((search.search_seq_column.as_str(), origin));
        }
        if let Some(cycle) = &table.cycle_clause {
            let mut origin = of_these(&columns, &cycle.cycle_col_list);
            self.probe(&origin);
            for value in [&cycle.cycle_mark_value, &cycle.cycle_mark_default].into_iter().flatten() {
                let value = self.value(value, at);
                self.add(&mut origin, &value.origin);
            }
            added.push((cycle.cycle_mark_column.as_str(), origin.clone()));
            added.push((cycle.cycle_path_column.as_str(), origin));
        }
        let output = |(name, origin): (&str, Origin)| Output { name: name.into(), origin, plain: false };
        columns.append(&Columns::each(added.into_iter().map(output).collect()));
        columns
    }
}

/// What is computed from the columns of these names.
fn of_these(columns: &Columns, these: &[Node]) -> Origin {
    let these = names::strings(these);
    let mut origin = columns.gap.clone().unwrap_or_default();
    for output in columns.outputs().filter(|output| these.contains(&&*output.name)) {
        origin.add(&output.origin);
    }
    origin
}

fn table(node: &Node) -> Option<&CommonTableExpr> {
    match &node.node {
        Some(Enum::CommonTableExpr(table)) => Some(table),
        _ => None,
    }
}
