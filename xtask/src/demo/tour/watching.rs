//! What an operator sees from outside.

use anyhow::{Context, ensure};

use super::{expect, run};
use crate::demo::people::AGENT;
use crate::demo::scene::Scene;

pub(super) fn denials_counted(scene: &Scene) -> anyhow::Result<()> {
    let before = (denied(scene)?, sessions(scene)?);
    expect(&run(scene, &AGENT, "DROP TABLE customers;\nDROP TABLE orders;")?, "", &["42501"])?;
    let after = (denied(scene)?, sessions(scene)?);
    let expected = (before.0 + 2, before.1 + 1);
    ensure!(after == expected, "denials and sessions were {before:?} and are {after:?}, not {expected:?}");
    Ok(())
}

fn denied(scene: &Scene) -> anyhow::Result<u64> {
    sum(&scene.metrics()?, "portcullis_operations_total{", &["action=\"sql:drop\"", "decision=\"deny\""])
}

fn sessions(scene: &Scene) -> anyhow::Result<u64> {
    sum(&scene.metrics()?, "portcullis_sessions_total{", &["target=\"shop\""])
}

/// The sum of a metric's samples that have all of these labels; there must be one at least.
fn sum(metrics: &str, name: &str, labels: &[&str]) -> anyhow::Result<u64> {
    let is_meant = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
    let values: Vec<&str> = metrics.lines().filter(is_meant).filter_map(|line| line.rsplit(' ').next()).collect();
    ensure!(!values.is_empty(), "there is no `{name}` with {labels:?} among the metrics:\n{metrics}");
    values.into_iter().map(|value| value.parse::<u64>().with_context(|| format!("`{value}` is no count"))).sum()
}
