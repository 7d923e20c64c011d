//! Looks for sensitive values in a JSON document and keeps it one: strings are looked at as what
//! they say, not as they are written, and a number that must not be shown becomes `null`.
//!
//! It reads strings and numbers and passes everything else on; it does not check the document.

use std::borrow::Cow;

use super::detect::{Finding, apart};
use super::rules::Compiled;
use super::view::Counts;
use super::{Masked, Tags, render};

/// Masks what is found in the strings and numbers of a document. What cannot be read as JSON is
/// redacted as a whole.
///
/// The document is looked at as it is written first: that finds a secret whose name stands in
/// another string, and whatever is in strings without escapes. Own expressions may have ends that
/// only the string itself has, so where there are any, each string is looked at by itself.
pub(super) fn mask<'v>(compiled: &Compiled, hidden: Tags, value: &'v [u8], counts: &mut Counts) -> Masked<'v> {
    let found = compiled.scanner.find(value, hidden);
    let each = compiled.scanner.has_own();
    if found.is_empty() && !each && !value.contains(&b'\\') {
        return Masked::clear(value);
    }
    let mut walk = Walk { compiled, hidden, value, found: &found, each, at: 0, done: 0, shown: Vec::new() };
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
    /// What was found in the document as it is written, from here on.
    found: &'a [Finding],
    /// Whether each string is looked at by itself, with escapes or without.
    each: bool,
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
        let escaped = written.contains(&b'\\');
        let here = self.found_until(end);
        if escaped || self.each || !here.is_empty() {
            let said: Cow<'_, str> = match escaped {
                true => Cow::Owned(serde_json::from_slice(written).ok()?),
                false => Cow::Borrowed(std::str::from_utf8(written.get(1..written.len() - 1)?).ok()?),
            };
            if let Some(shown) = self.shown(&said, escaped, here, counts) {
                self.replace(end, &render::quoted(&String::from_utf8_lossy(&shown)));
            }
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
        let mut tags: Tags = self.found_until(end).into_iter().map(|one| one.tags).collect();
        if self.each {
            tags |= self.compiled.scanner.find_own(written, self.hidden).into_iter().map(|one| one.tags).collect();
        }
        if !tags.is_empty() {
            counts.add(tags);
            self.replace(end, b"null");
        }
        self.at = end;
    }

    /// What was found in the document between here and `end`, as places within that part.
    fn found_until(&mut self, end: usize) -> Vec<Finding> {
        let over = self.found.iter().take_while(|one| one.range.end <= self.at).count();
        self.found = self.found.get(over..).unwrap_or_default();
        let begun = self.found.iter().take_while(|one| one.range.start < end);
        let within = |at: usize| at.clamp(self.at, end) - self.at;
        begun.map(|one| Finding { range: within(one.range.start)..within(one.range.end), tags: one.tags }).collect()
    }

    /// What stands in the place of a string; `None` where it stays. `here` are places in it as it is
    /// written, its first quote included.
    fn shown(&self, said: &str, escaped: bool, here: Vec<Finding>, counts: &mut Counts) -> Option<Vec<u8>> {
        let scanner = &self.compiled.scanner;
        let mut found = match escaped {
            true => scanner.find(said.as_bytes(), self.hidden),
            false => scanner.find_own(said.as_bytes(), self.hidden),
        };
        let seen: Tags = found.iter().map(|one| one.tags).collect();
        for one in here {
            if !escaped {
                // Less the quotes.
                let range = one.range.start.saturating_sub(1)..one.range.end.saturating_sub(1).min(said.len());
                found.push(Finding { range, tags: one.tags });
            } else if !one.tags.without(seen).is_empty() {
                // Nobody can say where this is once the escapes are read.
                found.push(Finding { range: 0..said.len(), tags: one.tags });
            }
        }
        found.retain(|one| !one.range.is_empty());
        render::replaced(self.compiled, said.as_bytes(), apart(found), counts)
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
