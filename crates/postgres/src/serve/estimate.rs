//! How many rows a statement that waits for humans would write, as the target's planner estimates:
//! one more thing for them to go by. Where it cannot be had, nobody waits for it.

use std::time::Duration;

use bytes::BytesMut;
use pgwire::messages::extendedquery::{Bind, Execute, Parse, Sync};
use pgwire::messages::simplequery::Query;
use portcullis_core::BoxFuture;
use portcullis_core::stream::BoxStream;
use serde_json::Value;

use super::lookup::Lookups;
use super::target::{answer, rows};
use crate::session::Estimable;
use crate::wire::write;

/// How long the target may take. Humans see the ask after this at the latest.
const PATIENCE: Duration = Duration::from_secs(1);

/// An estimate that is being asked for.
pub(super) type Estimate<'p> = BoxFuture<'p, Option<u64>>;

/// Asks for the estimate on a connection of the gate's own that waits for lookups, if there is one.
pub(super) async fn estimate(lookups: &Lookups, database: String, statement: Estimable) -> Option<u64> {
    let asking = async {
        let mut end = lookups.take(&database)?;
        let plan = explain(end.stream(), &statement).await?;
        // One that failed in the middle is dropped.
        lookups.put(database, end);
        rows_of(&plan)
    };
    tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
}

/// Plans a statement in a transaction that cannot write, and gives its plan. It is not run.
async fn explain(stream: &mut BoxStream, statement: &Estimable) -> Option<String> {
    let quoted = |schema: &str| format!("\"{}\"", schema.replace('"', "\"\""));
    let path: Vec<String> = statement.path.iter().map(|schema| quoted(schema)).collect();
    let path = if path.is_empty() { "''".to_owned() } else { path.join(", ") };
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = 500; SET LOCAL lock_timeout = 100; SET LOCAL search_path = {path}"
    );
    rows(stream, &begin).await.ok()?;
    let mut out = BytesMut::new();
    if statement.parameters {
        // The target has parsed this text as one statement, or it would not be run with values.
        write::message(&mut out, &Query::new(format!("EXPLAIN (FORMAT JSON, GENERIC_PLAN) {}", statement.text)));
    } else {
        // Only one statement can be parsed, so nothing behind it is run.
        write::message(&mut out, &Parse::new(None, format!("EXPLAIN (FORMAT JSON) {}", statement.text), Vec::new()));
        write::message(&mut out, &Bind::new(None, None, Vec::new(), Vec::new(), Vec::new()));
        write::message(&mut out, &Execute::new(None, 0));
        write::message(&mut out, &Sync::new());
    }
    let planned = answer(stream, &out).await;
    rows(stream, "ROLLBACK; RESET search_path").await.ok()?;
    planned.ok()?.into_iter().flatten().next()
}

/// The rows that a plan feeds into its writes.
fn rows_of(plan: &str) -> Option<u64> {
    let plan: Value = serde_json::from_str(plan).ok()?;
    let writes = plan.get(0)?.get("Plan")?;
    let fed = writes.get("Plans")?.as_array()?.iter();
    let outer = |plan: &&Value| plan.get("Parent Relationship").is_some_and(|kind| kind == "Outer");
    fed.filter(outer).filter_map(|plan| plan.get("Plan Rows")?.as_u64()).reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::rows_of;

    #[test]
    fn rows_are_those_that_are_fed_into_the_write() {
        let plan = r#"[{"Plan": {"Node Type": "ModifyTable", "Plan Rows": 0, "Plans": [
            {"Parent Relationship": "InitPlan", "Plan Rows": 5},
            {"Parent Relationship": "Outer", "Plan Rows": 42}]}}]"#;
        assert_eq!(rows_of(plan), Some(42));
        for none in ["", "[]", r#"[{"Plan": {"Plan Rows": 3}}]"#] {
            assert_eq!(rows_of(none), None, "{none}");
        }
    }
}
