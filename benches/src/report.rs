//! The figures as a page of Markdown.

use std::fmt::Write;

use crate::arena::Between;
use crate::measure::{Cell, Figure, Plan, Workload};
use crate::memory::{Memory, Stream};
use crate::streams::Way;

pub(crate) fn write(machine: &[String], plan: Plan, cells: &[Cell], memory: Option<&Memory>) -> String {
    let mut text = String::from("# Results\n\nWritten by `cargo xtask bench`.\n\n");
    for line in machine {
        text += &format!("- {line}\n");
    }
    let (rounds, seconds, rows) = (plan.rounds, plan.seconds, plan.rows);
    text += &format!(
        "\nMedians of {rounds} interleaved rounds; pgbench (select only, scale 10, {seconds} s a round) in transactions \
         a second and average latency, rows in seconds for {rows} rows. PostgreSQL 18, HAProxy in TCP mode, PgBouncer \
         pooling sessions; the leg to PostgreSQL is plain throughout. The gate proves identity, decides every \
         statement by the policies in benches/policies, and records, with its default durability. The client, \
         PostgreSQL and what stands between share the machine's cores.\n"
    );
    text += &table("Client leg plain", cells, false);
    text += &table("Client leg with TLS", cells, true);
    text += "\nHAProxy speaks TLS from the first byte (`sslnegotiation=direct`); the others negotiate it.\n";
    if let Some(memory) = memory {
        text += &memory_table(memory);
    }
    text
}

fn table(title: &str, cells: &[Cell], tls: bool) -> String {
    let mut text = format!(
        "\n## {title}\n\n| workload | direct | HAProxy | PgBouncer | gate | gate's time ÷ HAProxy's | ÷ PgBouncer's | ÷ direct |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    for workload in Workload::ALL {
        let of = |between| {
            let found = cells.iter().find(|c| c.workload == workload && c.between == between && c.tls == tls);
            found.map(|cell| cell.median)
        };
        let shown = Between::ALL.map(|between| of(between).map_or_else(|| String::from("–"), shown));
        let ratio = |other| match (of(Between::Gate), of(other)) {
            (Some(gate), Some(other)) => format!("{:.2}", gate.time() / other.time()),
            _ => String::from("–"),
        };
        let ratios = [Between::Haproxy, Between::PgBouncer, Between::Nobody].map(ratio);
        let cells: Vec<String> = shown.into_iter().chain(ratios).collect();
        text += &format!("| {} | {} |\n", name(workload), cells.join(" | "));
    }
    text
}

fn name(workload: Workload) -> String {
    match workload {
        Workload::Pgbench { mode, clients: 1 } => format!("pgbench {mode}, 1 client"),
        Workload::Pgbench { mode, clients } => format!("pgbench {mode}, {clients} clients"),
        Workload::Rows(Way::Select) => String::from("SELECT"),
        Workload::Rows(Way::CopyOut) => String::from("COPY TO STDOUT"),
        Workload::Rows(Way::CopyIn) => String::from("COPY FROM STDIN"),
    }
}

fn shown(figure: Figure) -> String {
    match figure {
        Figure::Rate(rate) => format!("{:.0} ({:.3} ms)", rate.per_second, rate.latency),
        Figure::Seconds(seconds) => format!("{seconds:.3} s"),
    }
}

fn memory_table(memory: &Memory) -> String {
    let mut text = String::from("\n## The gate's memory\n\n| what | figure |\n|---|--:|\n");
    let kib = |bytes: u64| bytes >> 10;
    for (leg, bytes) in [("plain", memory.idle_plain), ("TLS", memory.idle_tls)] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| one of {} idle sessions, {leg} | {} KiB |", memory.sessions, kib(bytes));
    }
    for (what, stream) in [("SELECT", &memory.select), ("COPY FROM STDIN", &memory.copy_in)] {
        let Stream { megabytes, before, most } = stream;
        let _ = writeln!(
            text,
            "| {what} of {megabytes} MB: resident before, and at most during it | {} KiB, {} KiB |",
            kib(*before),
            kib(*most)
        );
    }
    text
}
