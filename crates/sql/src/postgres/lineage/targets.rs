//! Lists of what is returned: `*` and its like, and one column for each other item.

use std::rc::Rc;

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{AIndirection, ColumnRef};

use super::super::effects::names;
use super::naming;
use super::origin::{Columns, Origin, Output};
use super::scope::{self, At, Meaning};
use super::tracer::Tracer;

impl Tracer<'_> {
    /// The columns that a list of what is returned stands for.
    pub(super) fn targets(&mut self, list: &[Node], at: At<'_>) -> Columns {
        let mut columns = Columns::default();
        for node in list {
            let Some(Enum::ResTarget(target)) = &node.node else {
                columns.append(&Columns::any(Origin::Unknown("an item of a list is not understood")));
                continue;
            };
            let Some(value) = &target.val else { continue };
            if let Some(several) = self.starred(value, at) {
                self.charge(several.size());
                columns.append(&several);
                continue;
            }
            let name = if target.name.is_empty() { naming::column(value) } else { &target.name };
            let value = self.value(value, at);
            let output = Output { name: name.into(), origin: value.origin, plain: value.plain };
            columns.append(&Columns::each(vec![output]));
        }
        columns
    }

    /// The columns that an item stands for, where it is one with `*`.
    pub(super) fn starred(&mut self, node: &Node, at: At<'_>) -> Option<Columns> {
        match node.node.as_ref()? {
            Enum::ColumnRef(column) if ends_in_star(&column.fields) => Some(self.all_of(column, at)),
            Enum::AIndirection(indirection) if ends_in_star(&indirection.indirection) => {
                Some(self.all_fields(indirection, at))
            }
            _ => None,
        }
    }

    fn all_of(&mut self, column: &ColumnRef, at: At<'_>) -> Columns {
        let relation = match names::strings(&column.fields)[..] {
            [] => return at.scope.map_or_else(Columns::default, |scope| scope::reached(&scope.items)),
            [relation] => at.row_of(None, relation),
            [.., schema, relation] => at.row_of(Some(schema), relation),
        };
        relation.map_or_else(Columns::any, |columns| (*columns).clone())
    }

    fn all_fields(&mut self, indirection: &AIndirection, at: At<'_>) -> Columns {
        let of = indirection.arg.as_ref().filter(|_| indirection.indirection.len() == 1);
        if let Some(row) = of.and_then(|of| row(of, at)) {
            return (*row).clone();
        }
        Columns::any(self.part_of(indirection, at))
    }
}

/// The row that an expression is, where it is the name of one.
pub(super) fn row(node: &Node, at: At<'_>) -> Option<Rc<Columns>> {
    let Some(Enum::ColumnRef(column)) = &node.node else { return None };
    let parts = names::strings(&column.fields);
    let meaning = match (&parts[..], parts.len() == column.fields.len()) {
        ([name], true) => at.name(name),
        _ => return None,
    };
    match meaning {
        Meaning::Row(columns) => Some(columns),
        Meaning::Value(..) | Meaning::FieldOf(_) => None,
    }
}

fn ends_in_star(fields: &[Node]) -> bool {
    matches!(fields.last().and_then(|last| last.node.as_ref()), Some(Enum::AStar(_)))
}
