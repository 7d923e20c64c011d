//! The state of one statement's tracing.

use pg_query::protobuf::RawStmt;

use super::super::grammar::Parser;
use super::{Catalogue, Lineage, Missing};

pub(super) struct Tracer;

impl Tracer {
    /// Traces one statement.
    pub(super) fn trace(_: &dyn Catalogue, _: Parser, _: &RawStmt) -> (Lineage, Vec<Missing>) {
        (Lineage::unknown("not traced"), Vec::new())
    }
}
