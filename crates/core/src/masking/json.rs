//! Looks for sensitive values in a JSON document and keeps it one: strings are looked at as what
//! they say, not as they are written, and a number that must not be shown becomes `null`.
//!
//! It reads strings and numbers and passes everything else on; it does not check the document.

use std::borrow::Cow;

use super::rules::Compiled;
use super::view::Counts;
use super::{Masked, Tags, render};

/// Masks what is found in the strings and numbers of a document. What cannot be read as JSON is
/// redacted as a whole.
pub(super) fn mask<'v>(compiled: &Compiled, hidden: Tags, value: &'v [u8], counts: &mut Counts) -> Masked<'v> {
    let mut walk = Walk { compiled, hidden, value, at: 0, done: 0, shown: Vec::new() };
    match walk.through(counts) {
        Some(()) if walk.done == 0 => Masked::clear(value),
        Some(()) => {
            walk.shown.extend_from_slice(value.get(walk.done..).unwrap_or_default());
            Masked::changed(walk.shown)
        }
        None => {
            counts.add(hidden);
            Masked::changed(render::quoted(Masked::REDACTED))
        }
    }
}

struct Walk<'a> {
    compiled: &'a Compiled,
    hidden: Tags,
    value: &'a [u8],
    at: usize,
    /// Up to where the document is in `shown`; 0 while nothing was changed.
    done: usize,
    shown: Vec<u8>,
}

impl Walk<'_> {
    /// `None` where the document is not JSON.
    fn through(&mut self, counts: &mut Counts) -> Option<()> {
        while let Some(byte) = self.value.get(self.at) {
            match byte {
                b'"' => self.string(counts)?,
                b'-' | b'0'..=b'9' => self.number(counts),
                _ => self.at += 1,
            }
        }
        Some(())
    }

    fn string(&mut self, counts: &mut Counts) -> Option<()> {
        let end = self.at + string_length(self.value.get(self.at..)?)?;
        let written = self.value.get(self.at..end)?;
        let said: Cow<'_, str> = if written.contains(&b'\\') {
            Cow::Owned(serde_json::from_slice(written).ok()?)
        } else {
            Cow::Borrowed(std::str::from_utf8(written.get(1..written.len() - 1)?).ok()?)
        };
        if let Some(shown) = render::pieces(self.compiled, self.hidden, said.as_bytes(), counts) {
            self.replace(end, &render::quoted(&String::from_utf8_lossy(&shown)));
        }
        self.at = end;
        Some(())
    }

    fn number(&mut self, counts: &mut Counts) {
        let rest = self.value.get(self.at..).unwrap_or_default();
        let length =
            rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let end = self.at + length.max(1);
        let written = self.value.get(self.at..end).unwrap_or_default();
        if render::pieces(self.compiled, self.hidden, written, counts).is_some() {
            self.replace(end, b"null");
        }
        self.at = end;
    }

    fn replace(&mut self, end: usize, with: &[u8]) {
        self.shown.extend_from_slice(self.value.get(self.done..self.at).unwrap_or_default());
        self.shown.extend_from_slice(with);
        self.done = end;
    }
}

/// How long the string is that begins here, with its quotes; `None` where it does not end.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
