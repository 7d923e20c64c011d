//! The program behind `cargo xtask bench`: which parts are measured, and where the figures go.
//!
//! It does not know how a figure is measured; each part is a module of its name.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod leg;
mod load;
mod machine;
mod masked;
mod memory;
mod process;
mod report;
mod rounds;
mod scene;
mod table;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use load::{Load, Mode};
use report::Section;

/// Measure the gate beside a direct connection, HAProxy and PgBouncer, and its memory.
#[derive(Parser)]
struct Options {
    /// A short run that shows that everything works; it prints its figures and keeps none.
    #[arg(long)]
    quick: bool,
    /// Only these parts (repeat, or separate by commas). All of them by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// How long each run of pgbench lasts. [default: 5, quick: 2]
    #[arg(long)]
    seconds: Option<u32>,
    /// How often everything is run; a table shows medians. [default: 5, quick: 3]
    #[arg(long)]
    rounds: Option<usize>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// pgbench with the simple protocol.
    Simple,
    /// pgbench with the extended protocol.
    Extended,
    /// pgbench with prepared statements.
    Prepared,
    /// A million rows by SELECT and by COPY.
    Rows,
    /// Memory of idle sessions, held statements, a large result and a large COPY.
    Memory,
    /// A million rows with and without masking.
    Masked,
}

impl Part {
    fn loads(self) -> Vec<Load> {
        let pgbench = |mode| vec![Load::Pgbench { mode, clients: 1 }, Load::Pgbench { mode, clients: 16 }];
        match self {
            Self::Simple => pgbench(Mode::Simple),
            Self::Extended => pgbench(Mode::Extended),
            Self::Prepared => pgbench(Mode::Prepared),
            Self::Rows => vec![Load::Select, Load::Copy],
            Self::Memory | Self::Masked => Vec::new(),
        }
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let all = Part::value_variants();
    let parts = if options.only.is_empty() { all } else { &options.only };
    let loads: Vec<Load> = parts.iter().copied().flat_map(Part::loads).collect();
    let complete = loads.len() == all.iter().copied().flat_map(Part::loads).count();
    if !loads.is_empty() {
        let seconds = options.seconds.unwrap_or(if options.quick { 2 } else { 5 });
        let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 5 });
        let text = speed(&loads, seconds, rounds)?;
        publish(Section::Speed, &text, complete && !options.quick)?;
    }
    if parts.contains(&Part::Masked) {
        let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 5 });
        publish(Section::Masking, &masked::measure(rounds)?, !options.quick)?;
    }
    if parts.contains(&Part::Memory) {
        publish(Section::Memory, &memory::measure(options.quick)?, !options.quick)?;
    }
    Ok(())
}

/// Measures the loads and returns the section's text.
fn speed(loads: &[Load], seconds: u32, rounds: usize) -> anyhow::Result<String> {
    let scene = scene::Scene::start()?;
    let plan = rounds::Plan { loads, rounds, duration: Duration::from_secs(u64::from(seconds)) };
    let before = machine::load_average()?;
    let runs = rounds::measure(&scene, &plan)?;
    let about = format!(
        "{}\n\n{rounds} rounds, {seconds} s for each run of pgbench; load of the machine before: {before}, after: {}.",
        machine::describe(&scene.gate, &scene.postgres)?,
        machine::load_average()?,
    );
    Ok(format!("{about}\n\n{}", table::speed(loads, &runs)))
}

fn publish(section: Section, text: &str, keep: bool) -> anyhow::Result<()> {
    println!("{text}");
    if keep {
        println!("written to {}", report::write(section, text)?.display());
    }
    Ok(())
}
