//! The order of runs: within a round every load takes every leg, and each round begins with another
//! leg, so that a machine which slows down slows all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::leg::Leg;
use crate::load::{Load, Run};
use crate::scene::Scene;

/// What is run how often.
pub(crate) struct Plan<'a> {
    pub(crate) loads: &'a [Load],
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
}

/// The runs of one load over one leg, in the order of rounds.
pub(crate) type Runs = BTreeMap<(Load, Leg), Vec<Run>>;

/// Runs everything.
pub(crate) fn measure(scene: &Scene, plan: &Plan<'_>) -> anyhow::Result<Runs> {
    let mut runs = Runs::new();
    let legs = Leg::all();
    for round in 0..plan.rounds {
        println!("round {} of {}", round + 1, plan.rounds);
        for load in plan.loads {
            for leg in rotated(&legs, round) {
                let run = load.run(scene, leg, plan.duration)?;
                println!("  {load}, {leg}: {:.1}/s, {:.3} ms", run.rate, run.latency * 1_000.0);
                runs.entry((*load, leg)).or_default().push(run);
            }
        }
    }
    Ok(runs)
}

fn rotated(legs: &[Leg], by: usize) -> Vec<Leg> {
    let by = by.checked_rem(legs.len()).unwrap_or(0);
    legs.iter().cycle().skip(by).take(legs.len()).copied().collect()
}

/// The middle of the values: half are smaller, half are larger.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied()?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(middle.checked_sub(1)?).map(|lower| f64::midpoint(*lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_begins_with_another_leg() {
        let legs = Leg::all();
        let second = rotated(&legs, 1);
        assert_eq!(second.first(), legs.get(1));
        assert_eq!(second.last(), legs.first());
        assert_eq!(rotated(&legs, legs.len()), legs);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median([]), None);
    }
}
