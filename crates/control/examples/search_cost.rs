//! Measures lists and searches over a store of 100,000 sessions with 5,000,000 operations, or as many as it
//! is told, taken in from an archive of made-up recordings:
//!
//! `cargo run --release -p portcullis-control --example search_cost -- [SESSIONS] [OPERATIONS A SESSION]`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for the terminal")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_control::archive::{Archive, ArchiveError, Events, Form, FormError, Pieces, Recorded};
use portcullis_control::index::{Filter, Follower, Index, OperationFilter};
use portcullis_core::identity::{Identity, Kind};
use serde_json::json;

/// How often each question is asked.
const TIMES: usize = 21;

const TARGETS: [&str; 8] = ["shop", "billing", "search", "ledger", "people", "stock", "mail", "audit"];
const TABLES: [&str; 12] = [
    "orders",
    "customers",
    "invoices",
    "payments",
    "products",
    "carts",
    "refunds",
    "shipments",
    "users",
    "sessions",
    "events_2024",
    "tax_rates",
];

/// Recordings that nobody made.
struct MadeUp {
    sessions: u64,
    operations: u64,
}

struct Reading {
    number: u64,
    operations: u64,
    next: u64,
}

/// A number that looks random and is the same every time.
const fn mixed(of: u64) -> u64 {
    let mut x = of.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}

fn one<'a>(of: &[&'a str], by: u64) -> &'a str {
    of.get(usize::try_from(by % of.len() as u64).unwrap()).unwrap()
}

impl Archive for MadeUp {
    fn numbers(&self, first: u64) -> Result<Vec<u64>, ArchiveError> {
        Ok((first.max(1)..=self.sessions).collect())
    }

    fn mark(&self, _: u64) -> [u64; 3] {
        [1; 3]
    }

    fn open(&self, number: u64) -> Result<Box<dyn Events>, ArchiveError> {
        Ok(Box::new(Reading { number, operations: self.operations, next: 0 }))
    }

    fn take(&self, _: u64, _: Form, _: Option<u64>) -> Result<Pieces, FormError> {
        // There are no files behind sessions that are made up.
        Err(FormError::NotSealed)
    }
}

impl Reading {
    fn event(&self) -> serde_json::Value {
        let who = mixed(self.number) % 500;
        if self.next == 1 {
            let identity = Identity {
                issuer: "https://id.example.com".into(),
                subject: format!("user{who}"),
                kind: Kind::User,
                groups: vec!["demo:vendors".into()],
                email: Some(format!("user{who}@example.com")),
                actors: Vec::new(),
                token: None,
                authenticated: None,
                expires: SystemTime::UNIX_EPOCH,
            };
            return json!({ "opened": {
                "session": format!("gate-{:010}", self.number), "protocol": "postgres",
                "target": one(&TARGETS, mixed(self.number + 7)), "client": "10.0.0.1", "application": "psql",
                "identity": identity,
            } });
        }
        let op = (self.next - 2) / 3 + 1;
        if op > self.operations {
            return json!({ "closed": { "reason": "the client said goodbye", "operations": self.operations } });
        }
        let by = mixed(self.number * 1_000 + op);
        let denied = by.is_multiple_of(200);
        match (self.next - 2) % 3 {
            0 => {
                let (table, other) = (one(&TABLES, by), one(&TABLES, by >> 8));
                let statement = match by % 5 {
                    0 => format!("SELECT id, total FROM {table} WHERE id = {}", by % 1_000_000),
                    1 => format!(
                        "SELECT a.* FROM {table} a JOIN {other} b ON a.id = b.owner WHERE b.code = 'k{}'",
                        by % 90_000
                    ),
                    2 => format!("UPDATE {table} SET state = 'done' WHERE id = {}", by % 1_000_000),
                    3 => format!("INSERT INTO {table} (note) VALUES ('from user{}@example.com')", by % 3_000),
                    _ => format!("DELETE FROM {other} WHERE created < '2024-0{}-01'", by % 9 + 1),
                };
                json!({ "operation": {
                    "op": op, "kind": "Query", "statement": statement, "parameters": 0, "effects": [],
                } })
            }
            1 => {
                let decision = if denied { "deny" } else { "allow" };
                json!({ "decision": { "op": op, "decision": decision, "policies": ["p"], "reason": "", "revision": "r" } })
            }
            _ => json!({ "outcome": {
                "op": op, "status": if denied { "refused" } else { "completed" }, "message": "", "rows": by % 50,
                "bytes": by % 5_000, "micros": by % 9_000,
            } }),
        }
    }
}

impl Events for Reading {
    fn next(&mut self) -> Option<Result<Recorded, ArchiveError>> {
        if self.is_complete() {
            return None;
        }
        self.next += 1;
        let at = 1_700_000_000_000_000 + self.number * 60_000_000 + self.next;
        Some(Ok(Recorded { seq: self.next, at, json: self.event().to_string() }))
    }

    fn again(&mut self) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.next >= self.operations * 3 + 2
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).unwrap().as_secs_f64() * 1_000.0
}

#[tokio::main]
async fn main() {
    let mut told = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let (sessions, operations) = (told.next().unwrap_or(100_000), told.next().unwrap_or(50));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.sqlite");
    let index = Index::open(&path).await.unwrap();
    let (mut follower, _) = Follower::new(index.clone(), Arc::new(MadeUp { sessions, operations }));
    let began = Instant::now();
    follower.look().await.unwrap();
    let taken = began.elapsed().as_secs_f64();
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    let all = sessions * operations;
    println!("{sessions} sessions with {all} operations taken in within {taken:.0} s; the index has {size} MiB.\n");

    let targets: Vec<String> = TARGETS.iter().map(|target| (*target).to_owned()).collect();
    let filter = Filter { targets, limit: 50, ..Filter::default() };
    let some = |text: &str| Some(text.to_owned());
    println!("| sessions | entries | median |\n|---|---|---|");
    for (what, filter) in [
        ("the latest", filter.clone()),
        ("from the middle on", Filter { before: Some(sessions / 2), ..filter.clone() }),
        ("of one target", Filter { targets: vec!["ledger".into()], ..filter.clone() }),
        ("of one person", Filter { identity: some("user77"), ..filter.clone() }),
        ("with a denial", Filter { decision: some("deny"), ..filter.clone() }),
        ("searched, a common word", Filter { q: some("orders"), ..filter.clone() }),
        ("searched, a rare word", Filter { q: some("k77123"), ..filter.clone() }),
        ("searched, an address", Filter { q: some("user2999@example.com"), ..filter.clone() }),
        ("searched, of one person", Filter { q: some("delete"), identity: some("user77"), ..filter.clone() }),
        ("searched, nothing found", Filter { q: some("nosuchword"), ..filter.clone() }),
    ] {
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let began = Instant::now();
            found = index.sessions(&filter).await.unwrap().entries.len();
            times.push(began.elapsed());
        }
        println!("| {what} | {found} | {:.1} ms |", median(times));
    }
    println!("\n| operations | entries | median |\n|---|---|---|");
    for (what, sessions) in [
        ("the latest", filter.clone()),
        ("of one target", Filter { targets: vec!["ledger".into()], ..filter.clone() }),
        ("of one person", Filter { identity: some("user77"), ..filter.clone() }),
        ("that were denied", Filter { decision: some("deny"), ..filter.clone() }),
        ("searched, a common word", Filter { q: some("orders"), ..filter.clone() }),
        ("searched, a rare word", Filter { q: some("k77123"), ..filter.clone() }),
        ("searched, two words", Filter { q: some("delete tax_rates"), ..filter.clone() }),
    ] {
        let filter = OperationFilter { sessions, session: None };
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let began = Instant::now();
            found = index.operations(&filter).await.unwrap().entries.len();
            times.push(began.elapsed());
        }
        println!("| {what} | {found} | {:.1} ms |", median(times));
    }
}
