//! Runs every workload on every leg, round by round, so that a busy minute hits all of them, and
//! takes medians.

use crate::arena::{Arena, Between, Leg};
use crate::pgbench::{self, Rate};
use crate::streams::{self, Way};

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    pub(crate) rows: u32,
    pub(crate) sessions: u32,
    pub(crate) stream_mb: u32,
}

impl Plan {
    pub(crate) const FULL: Self = Self { rounds: 5, seconds: 4, rows: 1_000_000, sessions: 2_000, stream_mb: 2_000 };
    pub(crate) const QUICK: Self = Self { rounds: 1, seconds: 1, rows: 100_000, sessions: 100, stream_mb: 100 };
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    Pgbench { mode: &'static str, clients: u32 },
    Rows(Way),
}

impl Workload {
    pub(crate) const ALL: [Self; 9] = [
        Self::Pgbench { mode: "simple", clients: 1 },
        Self::Pgbench { mode: "extended", clients: 1 },
        Self::Pgbench { mode: "prepared", clients: 1 },
        Self::Pgbench { mode: "simple", clients: 16 },
        Self::Pgbench { mode: "extended", clients: 16 },
        Self::Pgbench { mode: "prepared", clients: 16 },
        Self::Rows(Way::Select),
        Self::Rows(Way::CopyOut),
        Self::Rows(Way::CopyIn),
    ];

    fn run(self, arena: &Arena, leg: &Leg, plan: Plan) -> anyhow::Result<Figure> {
        Ok(match self {
            Self::Pgbench { mode, clients } => {
                Figure::Rate(pgbench::run(&arena.postgres, leg, mode, clients, plan.seconds)?)
            }
            Self::Rows(way) => Figure::Seconds(streams::run(leg, way, plan.rows)?.as_secs_f64()),
        })
    }
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Figure {
    Rate(Rate),
    Seconds(f64),
}

impl Figure {
    /// The time that one thing took: what ratios compare, less is better.
    pub(crate) fn time(self) -> f64 {
        match self {
            Self::Rate(rate) => 1.0 / rate.per_second,
            Self::Seconds(seconds) => seconds,
        }
    }
}

/// The median of one workload on one leg.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) workload: Workload,
    pub(crate) between: Between,
    pub(crate) tls: bool,
    pub(crate) median: Figure,
}

pub(crate) fn run(arena: &Arena, workloads: &[Workload], plan: Plan) -> anyhow::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for workload in workloads {
        println!("bench: {workload:?}");
        let mut figures: Vec<Vec<Figure>> = arena.legs.iter().map(|_| Vec::new()).collect();
        for _ in 0..plan.rounds {
            for (leg, figures) in arena.legs.iter().zip(&mut figures) {
                figures.push(workload.run(arena, leg, plan)?);
            }
        }
        for (leg, figures) in arena.legs.iter().zip(figures) {
            if let Some(median) = median(figures) {
                let tls = leg.authority.is_some();
                cells.push(Cell { workload: *workload, between: leg.between, tls, median });
            }
        }
    }
    Ok(cells)
}

fn median(mut figures: Vec<Figure>) -> Option<Figure> {
    figures.sort_by(|a, b| a.time().total_cmp(&b.time()));
    figures.get(figures.len() / 2).copied()
}
