//! What masking costs: a million rows with an address and a sentence in each, as they are, with the
//! address masked by its column, and with both looked at by every detector.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use portcullis_testkit::issuer::Issuer;
use portcullis_testkit::servers::{Gate, Postgres, Version};

use crate::machine;
use crate::rounds::median;
use crate::scene::{PERSON, start_gate_with, token};

const ROWS: &str = "CREATE TABLE people AS SELECT g AS id, 'user' || g || '@example.com' AS email, \
                    'order ' || g || ' of 2024-03-01, reference ' || g::bigint * 7919 || ', goes by post to the usual place' AS body \
                    FROM generate_series(1, 1000000) g";
const STATEMENT: &str = "SELECT id, email, body FROM people";
const BY_COLUMN: &str = "[[masking.column]]\nmatch = \"public.people.email\"\ntag = \"email\"\n";
const BY_DETECTORS: &str = "[masking]\ndetect = \"all\"\n";

/// Measures it and returns the section's text.
pub(crate) fn measure(rounds: usize) -> anyhow::Result<String> {
    let postgres = Postgres::start_with(Version::V18, &[("shared_buffers", "'512MB'")])?;
    postgres.sql_as_app(ROWS)?;
    postgres.sql("vacuum analyze; checkpoint;")?;
    let issuer = Issuer::start_blocking()?;
    let gates = [
        ("gate, nothing masked", start_gate_with(&issuer, &postgres, "")?),
        ("gate, masked by column", start_gate_with(&issuer, &postgres, BY_COLUMN)?),
        ("gate, looked at by every detector", start_gate_with(&issuer, &postgres, BY_DETECTORS)?),
    ];
    let token = token(&issuer);
    let mut taken: Vec<Vec<f64>> = vec![Vec::new(); gates.len() + 1];
    for _ in 0..rounds {
        let ways = std::iter::once(None).chain(gates.iter().map(|(_, gate)| Some(gate)));
        for (taken, gate) in taken.iter_mut().zip(ways) {
            taken.push(select(&postgres, gate, &token)?);
        }
    }
    let [(_, open), ..] = &gates;
    let mut text = format!(
        "{}\n\n| `{STATEMENT}`, 1 M rows | took | throughput |\n|---|---|---|\n",
        machine::describe(open, &postgres)?
    );
    let unmasked = taken.get(1).cloned().unwrap_or_default();
    let names = std::iter::once("direct").chain(gates.iter().map(|(name, _)| *name));
    for (name, taken) in names.zip(&taken) {
        let ratio = median(unmasked.iter().zip(taken).map(|(unmasked, taken)| unmasked / taken)).unwrap_or(f64::NAN);
        let seconds = median(taken.iter().copied()).unwrap_or(f64::NAN);
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {name} | {seconds:.2} s | {ratio:.2} × nothing masked |");
    }
    let _ = writeln!(text, "\nMedians of {rounds} interleaved rounds, by psql on a plain leg.");
    Ok(text)
}

/// Seconds for the whole result.
fn select(postgres: &Postgres, gate: Option<&Gate>, token: &str) -> anyhow::Result<f64> {
    let (port, user, password) = match gate {
        None => (postgres.port(), Postgres::USER, Postgres::PASSWORD),
        Some(gate) => (gate.port("shop")?, PERSON, token),
    };
    let mut psql = Command::new(postgres.program("psql"));
    psql.env("PGHOST", "127.0.0.1").env("PGPORT", port.to_string()).env("PGUSER", user).env("PGPASSWORD", password);
    psql.env("PGDATABASE", Postgres::DATABASE).env("PGSSLMODE", "disable").stdin(Stdio::null());
    psql.args(["-X", "-q", "-A", "-t", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-c", STATEMENT]);
    let begun = Instant::now();
    let output = psql.output().context("cannot run psql")?;
    let taken = begun.elapsed().as_secs_f64();
    ensure!(output.status.success(), "psql failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(taken)
}
