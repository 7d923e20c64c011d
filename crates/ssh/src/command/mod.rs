//! What a command line runs, as bash reads it: programs, arguments, and whether there may be more.
//!
//! A reading says only what stands in the text. Where the text does not say what will run, the
//! command is opaque; that is never an error. It knows no policy.

mod walk;
mod words;
mod wrappers;

use std::collections::BTreeSet;

use brush_parser::{Parser, ParserOptions};

/// The longest command that is read, in bytes. A longer one is opaque.
pub const MAX_COMMAND: usize = 16 << 10;
/// How deep parentheses may be nested. The parser tries anew at each that does not close, so that its
/// time doubles with them; quotes are not looked at here, which only makes more commands opaque.
const MAX_NESTED: usize = 12;
/// How many words that open a compound command there may be, for the same reason.
const MAX_COMPOUNDS: usize = 10;
/// Words that open a compound command.
const OPENING: [&str; 10] = ["if", "case", "for", "while", "until", "select", "{", "[[", "!", "coproc"];
/// How deep texts that are commands themselves are followed: `sh -c "sh -c …"`, `$( $( ) )`.
const MAX_DEPTH: usize = 6;
/// How many programs a command may run, those within substitutions included.
const MAX_PROGRAMS: usize = 256;

/// What a command line was seen to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The programs that run, without their folders.
    pub programs: BTreeSet<String>,
    /// All arguments that are written out.
    pub arguments: BTreeSet<String>,
    /// The first program's words, its name included, where nothing else is in the command.
    pub argv: Option<Vec<String>>,
    /// There may be more than was seen.
    pub opaque: bool,
    /// A program that changes the user runs.
    pub sudo: bool,
    seen: usize,
    plain: bool,
}

/// Reads a command line. What cannot be read is opaque.
pub fn read(command: &[u8]) -> Reading {
    let mut reading = Reading { plain: true, ..Reading::default() };
    match std::str::from_utf8(command) {
        Ok(text) => inner(text, 0, &mut reading),
        Err(_) => reading.opaque = true,
    }
    let whole = reading.plain && !reading.opaque && reading.seen == 1;
    reading.argv = reading.argv.filter(|_| whole);
    reading
}

/// Reads a text that a shell will run, as a part of a larger command.
fn inner(text: &str, depth: usize, reading: &mut Reading) {
    if depth > MAX_DEPTH || text.len() > MAX_COMMAND || text.contains('\0') || is_too_deep(text) {
        reading.opaque = true;
        return;
    }
    let options = options();
    let parsed = Parser::new(text.as_bytes(), &options).parse_program();
    match parsed {
        Ok(program) => walk::program(&program, depth, reading),
        Err(_) => reading.opaque = true,
    }
}

fn is_too_deep(text: &str) -> bool {
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' => open = open.saturating_add(1),
            b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    let words = text.split(|c: char| c.is_whitespace() || ";&|()".contains(c));
    deepest > MAX_NESTED || words.filter(|word| OPENING.contains(word)).count() > MAX_COMPOUNDS
}

fn options() -> ParserOptions {
    ParserOptions::default()
}
