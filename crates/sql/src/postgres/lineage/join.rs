//! Joins: which columns they merge, and what they leave visible of both sides.

use std::rc::Rc;

use pg_query::protobuf::JoinExpr;

use super::super::effects::names;
use super::from::named;
use super::naming::UNTOLD;
use super::origin::{Columns, Origin, Output};
use super::scope::{At, Item, Scope, reached};
use super::tracer::Tracer;

impl Tracer<'_> {
    pub(super) fn join(&mut self, join: &JoinExpr, at: At<'_>, before: &[Item]) -> Vec<Item> {
        let left = join.larg.as_ref().map_or_else(Vec::new, |left| self.source(left, at, before));
        let mut seen = before.to_vec();
        seen.extend(left.iter().cloned());
        self.charge(seen.len());
        let right = join.rarg.as_ref().map_or_else(Vec::new, |right| self.source(right, at, &seen));
        let (merged, all) = self.merge_columns(join, reached(&left), reached(&right));
        let joined = Item::new(None, Rc::new(all));

        let mut items: Vec<Item> = left.into_iter().chain(right).collect();
        items.iter_mut().for_each(|item| item.reached = false);
        if let Some(alias) = &join.join_using_alias {
            items.push(Item::behind(&alias.aliasname, Rc::new(merged)));
        }
        items.push(joined);
        if let Some(condition) = &join.quals {
            let scope = Scope::new(items, at.scope);
            self.probe_value(condition, At { scope: Some(&scope), ..at });
            items = scope.items;
        }
        // An alias hides what is joined.
        match (&join.alias, items.pop()) {
            (Some(alias), Some(joined)) => vec![named(joined, Some(alias))],
            (None, Some(joined)) => {
                items.push(joined);
                items
            }
            (_, None) => items,
        }
    }

    /// The columns that USING or NATURAL makes one, and all columns of the join.
    fn merge_columns(&mut self, join: &JoinExpr, mut left: Columns, mut right: Columns) -> (Columns, Columns) {
        self.charge(left.size() + right.size());
        let mut merged = Columns::default();
        let untold = |columns: &Columns| columns.outputs().any(|output| *output.name == *UNTOLD);
        let unknown_width = left.gap.is_some() || right.gap.is_some() || untold(&left) || untold(&right);
        if join.is_natural && unknown_width {
            // Which columns both sides have in common is not known.
            let both = left.whole().and(&right.whole());
            self.probe(&both);
            return (Columns::any(both.clone()), Columns::any(both));
        }
        for name in shared(join, &left, &right) {
            let (Some(mine), Some(others)) = (take(&mut left, &name), take(&mut right, &name)) else {
                let unknown = Origin::Unknown("a column that is joined by is not known");
                self.probe(&unknown);
                return (Columns::any(unknown.clone()), Columns::any(unknown));
            };
            let origin = mine.origin.and(&others.origin);
            self.probe(&origin);
            let plain = mine.plain && others.plain;
            merged.append(&Columns::each(vec![Output { name: mine.name, origin, plain }]));
        }
        let mut all = merged.clone();
        all.append(&left);
        all.append(&right);
        (merged, all)
    }
}

/// The names that a join joins by.
fn shared(join: &JoinExpr, left: &Columns, right: &Columns) -> Vec<String> {
    if join.is_natural {
        let common = |output: &&Output| right.outputs().any(|other| other.name == output.name);
        return left.outputs().filter(common).map(|output| output.name.to_string()).collect();
    }
    names::strings(&join.using_clause).into_iter().map(str::to_owned).collect()
}

/// Takes a column out of a row, if the row has one of that name for certain. Where the row's width
/// is not known the column may be one of the others, and then it is not taken out but copied.
fn take(columns: &mut Columns, name: &str) -> Option<Output> {
    for outputs in [&mut columns.first, &mut columns.last] {
        if let Some(n) = outputs.iter().position(|output| *output.name == *name) {
            return Some(outputs.remove(n));
        }
    }
    let origin = columns.gap.clone()?;
    Some(Output { name: name.into(), origin, plain: false })
}
