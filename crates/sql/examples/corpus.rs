//! Says what share of the statements in a folder of SQL files the analyzer does not know, and how
//! many of those PostgreSQL's grammar takes.
//!
//! `cargo run --release -p portcullis-sql --example corpus -- DIR [--show]`; with `--show`, every
//! statement that is unknown is printed. Lines that begin with a backslash are psql's own, and data
//! that follow `COPY … FROM STDIN` up to `\.` are no SQL: both are left out.

use std::path::Path;
use std::process::ExitCode;

use portcullis_sql::postgres::{Analyzer, Settings, statements};
use portcullis_sql::vocabulary;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command")]
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("name a folder of .sql files");
        return ExitCode::FAILURE;
    };
    let show = args.next().is_some();
    let analyzer = Analyzer::new(0);
    let (mut all, mut unknown, mut valid) = (0_usize, 0_usize, 0_usize);
    for text in files(Path::new(&folder)) {
        let Ok(ranges) = statements(&text, Settings::default()) else {
            eprintln!("a file of {} bytes cannot be cut into statements", text.len());
            continue;
        };
        for range in ranges {
            let statement = text.get(range).unwrap_or_default();
            let analysis = analyzer.analyse(statement, Settings::default());
            all += 1;
            let effects = || analysis.statements.iter().flat_map(|statement| &statement.effects);
            if effects().any(|effect| effect.action == vocabulary::UNKNOWN) {
                unknown += 1;
                let text = String::from_utf8_lossy(statement);
                let is_valid = pg_query::parse(&text, 0).is_ok();
                valid += usize::from(is_valid);
                if show {
                    println!("{}{text}\n--", if is_valid { "-- valid\n" } else { "" });
                }
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = 100.0 * unknown as f64 / all.max(1) as f64;
    println!("statements: {all}, unknown: {unknown} ({share:.2} %), of these valid for PostgreSQL's grammar: {valid}");
    ExitCode::SUCCESS
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.extend(std::fs::read(&path).ok().map(|text| sql_of(&text)));
        }
    }
    found
}

/// The SQL of a script for psql.
fn sql_of(script: &[u8]) -> Vec<u8> {
    let mut sql = Vec::new();
    let mut in_data = false;
    for line in script.split_inclusive(|byte| *byte == b'\n') {
        let lower = line.to_ascii_lowercase();
        if in_data {
            in_data = !line.starts_with(b"\\.");
        } else if !line.starts_with(b"\\") {
            sql.extend_from_slice(line);
            let text = String::from_utf8_lossy(&lower);
            in_data = text.starts_with("copy ") && text.contains(" from stdin") && text.contains(';');
        }
    }
    sql
}
