//! asciicast, versions 2 and 3 (docs.asciinema.org/manual/asciicast): what one terminal of a session showed,
//! with a marker at each decision of the session while it was open.
//!
//! What was typed is not in it. A character that was cut between two events is put together again.

use std::borrow::Cow;

use portcullis_core::recording::{Event, Stream};
use serde::Serialize;

use super::{ExportError, json};
use crate::recording::read::{Line, Reader};

/// The size of a terminal that did not say it.
const USUAL: (u32, u32) = (80, 24);

/// The most characters of a statement in a marker.
const MARKED: usize = 80;

/// Which asciicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// With times since the beginning.
    Two,
    /// With times since the line before.
    Three,
}

/// One terminal that is written down.
pub(super) struct Asciicast {
    version: Version,
    /// The operation that it belongs to.
    op: u64,
    began: u64,
    /// When the last line was.
    last: u64,
    output: Cut,
    errors: Cut,
    asked: Option<Asked>,
    /// The last other operation that turned out to have a terminal.
    other: Option<u64>,
    over: bool,
}

/// An operation that was asked and is not decided yet.
struct Asked {
    op: u64,
    kind: String,
    statement: String,
}

/// The beginning of a character whose end has not come yet.
#[derive(Default)]
struct Cut(Vec<u8>);

#[derive(Serialize)]
#[serde(untagged)]
enum Header<'a> {
    Two { version: u8, width: u32, height: u32, timestamp: u64, title: &'a str },
    Three { version: u8, term: Term, timestamp: u64, title: &'a str },
}

#[derive(Serialize)]
struct Term {
    cols: u32,
    rows: u32,
}

impl Asciicast {
    /// Reads up to where the terminal opens, and writes the header.
    pub(super) fn begin(
        version: Version,
        reader: &mut Reader<'_>,
        wanted: Option<u64>,
        out: &mut Vec<u8>,
    ) -> Result<Self, ExportError> {
        let (mut title, mut asked, mut decided) = (String::new(), None, None);
        for line in reader {
            let line = line?;
            match line.event() {
                Ok(Event::Opened { session, target, .. }) => title = format!("{session} on {target}"),
                Ok(Event::Operation { op, kind, statement, .. }) => asked = Some(Asked::new(op, &kind, &statement.0)),
                Ok(Event::Decision { op, decision, .. }) => decided = Some((op, marker(asked.take(), op, &decision))),
                Ok(Event::Resize { op, columns, rows }) if wanted.is_none_or(|wanted| wanted == op) => {
                    let (output, errors) = (Cut::default(), Cut::default());
                    let (began, last) = (line.at, line.at);
                    header(version, size(columns, rows), began, &title, out);
                    let mut cast = Self { version, op, began, last, output, errors, asked, other: None, over: false };
                    if let Some((_, label)) = decided.filter(|(decided, _)| *decided == op) {
                        cast.line(began, "m", &label, out);
                    }
                    return Ok(cast);
                }
                Ok(_) | Err(_) => {}
            }
        }
        Err(wanted.map_or(ExportError::NoTerminal, ExportError::NoTerminalOf))
    }

    pub(super) fn write(&mut self, line: &Line, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match line.event() {
            Ok(Event::Terminal { op, stream, data }) if op == self.op => {
                let text = match stream {
                    Stream::Output => self.output.join(&data.0),
                    Stream::Error => self.errors.join(&data.0),
                    Stream::Input => return,
                };
                if !text.is_empty() {
                    self.line(line.at, "o", &text, out);
                }
            }
            Ok(Event::Resize { op, columns, rows }) if op == self.op => {
                let (columns, rows) = size(columns, rows);
                self.line(line.at, "r", &format!("{columns}x{rows}"), out);
            }
            Ok(Event::Resize { op, .. }) if self.other != Some(op) => {
                self.other = Some(op);
                self.line(line.at, "m", &format!("#{op} has a terminal of its own"), out);
            }
            Ok(Event::Operation { op, kind, statement, .. }) => self.asked = Some(Asked::new(op, &kind, &statement.0)),
            Ok(Event::Decision { op, decision, .. }) => {
                let label = marker(self.asked.take(), op, &decision);
                self.line(line.at, "m", &label, out);
            }
            Ok(Event::Outcome { op, .. }) if op == self.op => self.finish(line.at, out),
            // What is not the terminal's, and events of later versions.
            Ok(_) | Err(_) => {}
        }
    }

    /// The recording ends here, whether the terminal does or not.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if !self.over {
            self.finish(self.last, out);
        }
    }

    fn finish(&mut self, at: u64, out: &mut Vec<u8>) {
        self.over = true;
        if self.output.is_open() || self.errors.is_open() {
            self.line(at, "o", "\u{fffd}", out);
        }
    }

    /// Writes a line. The clock on the wall may have gone back; a cast cannot.
    fn line(&mut self, at: u64, code: &str, data: &str, out: &mut Vec<u8>) {
        let at = at.max(self.last);
        let since = at.saturating_sub(match self.version {
            Version::Two => self.began,
            Version::Three => self.last,
        });
        self.last = at;
        let time = format!("[{}.{:06},\"{code}\",", since / 1_000_000, since % 1_000_000);
        out.extend_from_slice(time.as_bytes());
        json(&data, out);
        out.extend_from_slice(b"]\n");
    }
}

impl Asked {
    fn new(op: u64, kind: &str, statement: &[u8]) -> Self {
        // No more than what is shown is kept; four bytes are enough for any character.
        let head = statement.get(..MARKED * 4).unwrap_or(statement);
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let statement = String::from_utf8_lossy(head).chars().take(MARKED).map(shown).collect();
        Self { op, kind: kind.to_owned(), statement }
    }
}

/// What a marker says: `allow #2 exec ls -l`.
fn marker(asked: Option<Asked>, op: u64, decision: &str) -> String {
    let label = match asked.filter(|asked| asked.op == op) {
        Some(Asked { kind, statement, .. }) => format!("{decision} #{op} {kind} {statement}"),
        None => format!("{decision} #{op}"),
    };
    label.trim_end().to_owned()
}

const fn size(columns: u32, rows: u32) -> (u32, u32) {
    if columns == 0 || rows == 0 { USUAL } else { (columns, rows) }
}

fn header(version: Version, (cols, rows): (u32, u32), began: u64, title: &str, out: &mut Vec<u8>) {
    let timestamp = began / 1_000_000;
    let header = match version {
        Version::Two => Header::Two { version: 2, width: cols, height: rows, timestamp, title },
        Version::Three => Header::Three { version: 3, term: Term { cols, rows }, timestamp, title },
    };
    json(&header, out);
    out.push(b'\n');
}

impl Cut {
    /// These bytes as text, with what was left of those before. What can be no character is U+FFFD.
    fn join<'d>(&mut self, data: &'d [u8]) -> Cow<'d, str> {
        if self.0.is_empty()
            && let Ok(text) = std::str::from_utf8(data)
        {
            return Cow::Borrowed(text);
        }
        self.0.extend_from_slice(data);
        let bytes = std::mem::take(&mut self.0);
        let mut text = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && is_beginning(invalid) {
                self.0 = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Cow::Owned(text)
    }

    const fn is_open(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Whether more bytes could make this a character.
fn is_beginning(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|why| why.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::Cut;

    #[test]
    fn character_that_was_cut_is_put_together_and_what_is_none_is_replaced() {
        let all = "a→é😀".as_bytes();
        for first in 0..=all.len() {
            for second in first..=all.len() {
                let mut cut = Cut::default();
                let text: String = [&all[..first], &all[first..second], &all[second..]]
                    .iter()
                    .map(|part| cut.join(part).into_owned())
                    .collect();
                assert_eq!((text.as_str(), cut.is_open()), ("a→é😀", false), "cut at {first} and {second}");
            }
        }
        let mut cut = Cut::default();
        assert_eq!(cut.join(b"x\xffy\xe2\x86"), "x\u{fffd}y");
        assert!(cut.is_open());
        assert_eq!(cut.join(b"z"), "\u{fffd}z");
        assert!(!cut.is_open());
    }
}
