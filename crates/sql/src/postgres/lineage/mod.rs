//! Lineage: from which columns each value that a statement returns is computed.
//!
//! It follows names as PostgreSQL does, through aliases, joins, common table expressions, views
//! and writes, and joins what an expression is made of. **What is not understood is unknown**, and
//! unknown is for the caller to treat as the worst. Over-approximation is allowed, the opposite is
//! a leak.
//!
//! Two things are kept apart. Whatever stands *inside the expression* that gives a value is part of
//! its origin, conditions included: `ssn LIKE '1%'`, `CASE WHEN ssn …`, `count(*) FILTER (WHERE
//! ssn …)`, `rank() OVER (ORDER BY ssn)`, and a subquery in an expression with all of its
//! conditions. What decides *which rows come* (WHERE, JOIN, GROUP BY, ORDER BY, DISTINCT …) is a
//! probe. The number of values and their absence are not the values: `count(ssn)` and
//! `ssn IS NULL` are clean and probe `ssn`, where `ssn` is a column as it is stored. On anything
//! computed they are computed from it, for `count(nullif(ssn, '…'))` asks a question.
//!
//! It does not know what triggers and rules do, nor what a value in an error message is.

mod call;
mod catalogue;
mod expression;
mod from;
mod functions;
mod join;
mod naming;
mod origin;
mod query;
mod rename;
mod scope;
mod statement;
mod stored;
mod targets;
mod tracer;
mod with;
mod write;

use std::sync::Arc;

pub use self::catalogue::{Callable, Callee, Catalogue, Column, Lookup, Relation, RelationName, Source};
pub use self::origin::{ColumnName, Columns, Destination, Lineage, Origin, Output};
use self::tracer::Tracer;
use super::{Settings, grammar, is_readable};

/// What was found out about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The lineage of each statement, in the order of the text.
    pub statements: Vec<Lineage>,
    /// What the catalogue had not looked up yet. Where this is not empty, parts of the lineage are
    /// unknown that need not be: look these up and ask again. Views bring new names, so this takes
    /// as many rounds as they are deep.
    pub missing: Vec<Missing>,
}

/// Something that the catalogue was asked for and had not looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// A relation.
    Relation(RelationName),
    /// A function, an operator or a type.
    Callable(Callable),
}

/// The lineage of each statement of `text`.
///
/// The text is parsed, on the thread that all texts are parsed on, and the catalogue is asked from
/// there: it must answer from memory. Nothing is remembered, so the caller keeps what it gets for
/// as long as what the catalogue said holds. Never fails: what cannot be read has a lineage that is
/// unknown throughout.
pub fn lineage(text: &[u8], settings: Settings, catalogue: &Arc<dyn Catalogue>) -> Traced {
    let readable = std::str::from_utf8(text).ok().filter(|_| is_readable(text, settings));
    let catalogue = Arc::clone(catalogue);
    let traced = readable.map(|text| {
        grammar::parse_with(text, settings, move |parser, statements| {
            let mut traced = Traced { statements: Vec::new(), missing: Vec::new() };
            for statement in statements {
                let (lineage, missing) = Tracer::trace(&*catalogue, parser, statement);
                traced.statements.push(lineage);
                traced.missing.extend(missing);
            }
            traced
        })
    });
    match traced {
        Some(Ok(traced)) => traced,
        _ => Traced { statements: vec![Lineage::unknown(NOT_READ)], missing: Vec::new() },
    }
}

const NOT_READ: &str = "the text cannot be read";
