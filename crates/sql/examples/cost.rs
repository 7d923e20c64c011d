//! What an analysis costs: the median of one statement at a time, in nanoseconds, for a scan alone,
//! a repeated text, a repeated shape, and a text that has to be parsed.
//!
//! `cargo run --release -p portcullis-sql --example cost`

use std::hint::black_box;
use std::time::Instant;

use portcullis_sql::postgres::{Analyzer, Settings, statements};

const STATEMENTS: [(&str, &str); 6] = [
    ("constant", "SELECT {}"),
    ("by key", "SELECT abalance FROM pgbench_accounts WHERE aid = {}"),
    ("update by key", "UPDATE pgbench_accounts SET abalance = abalance + {} WHERE aid = {}"),
    ("insert", "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ({}, {}, {}, {}, CURRENT_TIMESTAMP)"),
    (
        "report",
        "SELECT c.name, count(*), sum(o.total) FILTER (WHERE o.state = 'paid') FROM orders o \
         JOIN customers c ON c.id = o.customer LEFT JOIN regions r ON r.id = c.region \
         WHERE o.created >= now() - interval '30 days' AND r.name IN ('north', 'south') AND o.total > {} \
         GROUP BY c.name HAVING count(*) > {} ORDER BY 3 DESC NULLS LAST LIMIT {}",
    ),
    (
        "cte",
        "WITH recent AS (SELECT * FROM orders WHERE created > '2026-01-01'), best AS (SELECT customer, \
         row_number() OVER (PARTITION BY region ORDER BY sum(total) DESC) AS n FROM recent GROUP BY customer, region) \
         SELECT b.customer, coalesce(a.city, 'unknown') FROM best b LEFT JOIN LATERAL (SELECT city FROM addresses \
         WHERE addresses.customer = b.customer ORDER BY id DESC LIMIT 1) a ON true WHERE b.n <= {}",
    ),
];

const ROUNDS: usize = 2_001;

#[expect(clippy::print_stdout, reason = "this is a command")]
fn main() {
    println!("median ns      scan  same text  same shape     parse");
    for (name, statement) in STATEMENTS {
        let text = |n: usize| statement.replace("{}", &n.to_string()).into_bytes();
        let cached = Analyzer::new(32 << 20);
        let uncached = Analyzer::new(0);
        let (first, settings) = (text(0), Settings::default());
        black_box(cached.analyse(&first, settings));
        let scan = median(|n| {
            let text = text(n);
            move || drop(black_box(statements(black_box(&text), settings)))
        });
        let same_text = median(|_| || drop(black_box(cached.analyse(black_box(&first), settings))));
        let same_shape = median(|n| {
            let (text, cached) = (text(n), &cached);
            move || drop(black_box(cached.analyse(black_box(&text), settings)))
        });
        let parse = median(|n| {
            let (text, uncached) = (text(n), &uncached);
            move || drop(black_box(uncached.analyse(black_box(&text), settings)))
        });
        println!("{name:<13} {scan:>5}  {same_text:>9}  {same_shape:>10}  {parse:>8}");
    }
}

/// The median time of what `prepare` makes ready.
fn median<F: FnOnce()>(prepare: impl Fn(usize) -> F) -> u128 {
    let mut times: Vec<u128> = (0..ROUNDS)
        .map(|n| {
            let run = prepare(n);
            let start = Instant::now();
            run();
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}
