//! Says what share of the statements in a folder of SQL files the analyzer does not know, and how
//! many of those PostgreSQL's grammar takes.
//!
//! `cargo run --release -p portcullis-sql --example corpus -- DIR [--show]`; with `--show`, every
//! statement that is unknown is printed. Lines that begin with a backslash are psql's own, and data
//! that follow `COPY … FROM STDIN` up to `\.` are no SQL: both are left out. What psql would put in
//! for its variables is not known, so statements with variables stay as they are, and unknown.

use std::path::Path;
use std::process::ExitCode;

use portcullis_sql::postgres::scan::Scanner;
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
    let mut cut_otherwise = 0_usize;
    for statement in files(Path::new(&folder)).iter().flat_map(|script| statements_of(script)) {
        let analysis = analyzer.analyse(&statement, Settings::default());
        all += 1;
        let text = String::from_utf8_lossy(&statement);
        cut_otherwise += usize::from(is_cut_otherwise(&text));
        let effects = || analysis.statements.iter().flat_map(|statement| &statement.effects);
        if effects().any(|effect| effect.action == vocabulary::UNKNOWN) {
            unknown += 1;
            let is_valid = pg_query::parse(&text, 0).is_ok();
            valid += usize::from(is_valid);
            if show {
                println!("{}{text}\n--", if is_valid { "-- valid\n" } else { "" });
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = 100.0 * unknown as f64 / all.max(1) as f64;
    println!("statements: {all}, unknown: {unknown} ({share:.2} %), of these valid for PostgreSQL's grammar: {valid}");
    println!("statements that PostgreSQL's scanner takes and cuts into other tokens: {cut_otherwise}");
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
            found.extend(std::fs::read(&path).ok());
        }
    }
    found
}

/// The statements of a script for psql: each ends with a semicolon at the end of a line, or with
/// one of psql's commands.
fn statements_of(script: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut pending = Vec::new();
    let mut in_data = false;
    for line in script.split_inclusive(|byte| *byte == b'\n') {
        if in_data {
            in_data = !line.starts_with(b"\\.");
            continue;
        }
        if line.starts_with(b"\\") {
            continue;
        }
        let command = line.windows(3).position(|three| three == b" \\g");
        pending.extend_from_slice(line.get(..command.unwrap_or(line.len())).unwrap_or_default());
        if let Ok(ranges) = statements(&pending, Settings::default())
            && is_closed(&pending)
            && (command.is_some() || is_ended(&pending))
        {
            in_data = is_copy_in(&pending);
            found.extend(ranges.into_iter().filter_map(|range| pending.get(range).map(<[u8]>::to_vec)));
            pending.clear();
        }
    }
    found
}

/// Whether another statement behind this text would be one of its own.
fn is_closed(text: &[u8]) -> bool {
    let count = |text: &[u8]| statements(text, Settings::default()).map_or(0, |ranges| ranges.len());
    count(&[text, b"\n;select 1"].concat()) == count(text) + 1
}

/// Whether the last thing before trailing comments is a semicolon.
fn is_ended(text: &[u8]) -> bool {
    let mut scanner = Scanner::new(text, Settings::default());
    let mut last = None;
    while let Ok(Some(token)) = scanner.next_token() {
        last = Some(token);
    }
    last.is_some_and(|token| text.get(token.start..token.end) == Some(b";"))
}

fn is_copy_in(text: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
    lower.trim_start().starts_with("copy ") && lower.contains(" from stdin")
}

/// Whether PostgreSQL's scanner takes the text and puts its tokens elsewhere than ours.
fn is_cut_otherwise(text: &str) -> bool {
    use pg_query::protobuf::Token;
    let comments = [Token::SqlComment as i32, Token::CComment as i32];
    let Ok(theirs) = pg_query::scan(text) else { return false };
    let theirs = theirs.tokens.iter().filter(|token| !comments.contains(&token.token));
    let theirs: Vec<_> = theirs
        .filter_map(|token| Some((usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?)))
        .collect();
    let mut scanner = Scanner::new(text.as_bytes(), Settings::default());
    let mut ours = Vec::new();
    while let Ok(Some(token)) = scanner.next_token() {
        ours.push((token.start, token.end));
    }
    ours != theirs
}
