//! From runs to tables in Markdown: medians, and the gate's ratio to its yardstick.

use std::fmt::Write as _;

use crate::leg::{ClientLeg, Leg, Way};
use crate::load::{Load, Run};
use crate::rounds::{Runs, median};

/// Rates and latencies, then the processor time behind them.
pub(crate) fn speed(loads: &[Load], runs: &Runs) -> String {
    let mut text = header(&["gate's throughput", "gate's latency"]);
    for client in ClientLeg::ALL {
        for load in loads {
            let cells = Way::ALL.map(|way| cell(*load, of(runs, *load, client, way)));
            let yardstick = client.yardstick();
            let throughput = ratio(runs, *load, client, |run| run.rate);
            let latency = ratio(runs, *load, client, |run| run.latency);
            let ratios = [format!("{throughput} × {yardstick}"), format!("{latency} × {yardstick}")];
            row(&mut text, client, *load, cells.into_iter().chain(ratios));
        }
    }
    text += "\nEach figure is the median of its rounds; each ratio is the median of the ratios within one round.\n\n";
    text += "Processor time that the part in the middle spends: for a transaction, or for the million rows.\n\n";
    text += &header(&["gate's ratio"]);
    for client in ClientLeg::ALL {
        for load in loads {
            let cells = Way::ALL.map(|way| processor(*load, of(runs, *load, client, way)));
            let ratio = ratio(runs, *load, client, |run| run.processor.unwrap_or(f64::NAN));
            row(&mut text, client, *load, cells.into_iter().chain([format!("{ratio} × {}", client.yardstick())]));
        }
    }
    text
}

fn header(further: &[&str]) -> String {
    let ways = Way::ALL.map(|way| way.to_string());
    let names: Vec<&str> = ways.iter().map(String::as_str).chain(further.iter().copied()).collect();
    format!("| client leg | load | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()))
}

fn row(text: &mut String, client: ClientLeg, load: Load, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    // Writing to a String does not fail.
    let _ = writeln!(text, "| {client} | {load} | {} |", cells.join(" | "));
}

fn of(runs: &Runs, load: Load, client: ClientLeg, way: Way) -> &[Run] {
    runs.get(&(load, Leg { client, way })).map_or(&[], Vec::as_slice)
}

fn cell(load: Load, runs: &[Run]) -> String {
    let rate = median(runs.iter().map(|run| run.rate));
    let latency = median(runs.iter().map(|run| run.latency));
    match (load, rate, latency) {
        (Load::Pgbench { .. }, Some(rate), Some(latency)) => format!("{rate:.0}/s, {:.3} ms", latency * 1e3),
        (Load::Select | Load::Copy, _, Some(latency)) => format!("{latency:.2} s"),
        _ => String::from("–"),
    }
}

fn processor(load: Load, runs: &[Run]) -> String {
    match (load, median(runs.iter().filter_map(|run| run.processor))) {
        (Load::Pgbench { .. }, Some(seconds)) => format!("{:.1} µs", seconds * 1e6),
        (Load::Select | Load::Copy, Some(seconds)) => format!("{seconds:.2} s"),
        (_, None) => String::from("–"),
    }
}

/// The gate's value over its yardstick's.
fn ratio(runs: &Runs, load: Load, client: ClientLeg, value: impl Fn(&Run) -> f64) -> String {
    let gate = of(runs, load, client, Way::Gate).iter();
    let yardstick = of(runs, load, client, client.yardstick()).iter();
    let ratios = gate.zip(yardstick).map(|(gate, yardstick)| value(gate) / value(yardstick));
    median(ratios).map_or_else(|| String::from("–"), |ratio| format!("{ratio:.2}"))
}
