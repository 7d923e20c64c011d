//! The gate beside a direct connection, HAProxy and PgBouncer: one run, one machine, one table.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod arena;
mod client;
mod machine;
mod measure;
mod memory;
mod pgbench;
mod report;
mod streams;

use std::fs;
use std::path::Path;

use clap::Parser;

use arena::Arena;
use measure::{Plan, Workload};

/// Compares, and writes benches/RESULTS.md. `cargo xtask bench` calls this.
#[derive(Parser)]
struct Options {
    /// Short, and to the terminal alone.
    #[arg(long)]
    quick: bool,
    /// Leaves the gate out.
    #[arg(long)]
    without_gate: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // An error means that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let plan = if options.quick { Plan::QUICK } else { Plan::FULL };
    println!("bench: starting the parts");
    let arena = Arena::start(!options.without_gate, plan.rows)?;
    let table = measure::run(&arena, &Workload::ALL, plan)?;
    drop(arena);
    let memory = if options.without_gate { None } else { Some(memory::run(plan)?) };
    let text = report::write(&machine::describe()?, plan, &table, memory.as_ref());
    if options.quick {
        println!("\n{text}");
        return Ok(());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
    fs::write(&path, &text)?;
    println!("\n{text}\nbench: written to {}", path.display());
    Ok(())
}
