//! The tail: events that are in the kernel and not sealed yet. Each stands behind its length and
//! its checksum, so that what a crash left can be told from what it tore.

use std::io::{self, Read};

use crc32c::{crc32c, crc32c_append};
use portcullis_core::recording::Event;
use serde::Serialize;

use super::format::{MAX_LINE, take};

/// Length and checksum, four bytes each.
pub(super) const FRAME: usize = 8;

/// One event as it is stored.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    at: u64,
    event: &'a Event<'a>,
}

/// Puts an event at the end of `buffer`, which is left as it was if that fails. The session is part
/// of the checksum: files of tails are used again, and one session's events never pass for another's.
pub(super) fn put(buffer: &mut Vec<u8>, session: u64, seq: u64, at: u64, event: &Event<'_>) -> Result<(), String> {
    let begin = buffer.len();
    buffer.extend_from_slice(&[0; FRAME]);
    let written = serde_json::to_writer(&mut *buffer, &Line { seq, at, event })
        .map_err(|why| format!("the event cannot be written as JSON: {why}"))
        .and_then(|()| frame(buffer, session, begin));
    if written.is_err() {
        buffer.truncate(begin);
    }
    written
}

/// Fills in the length and the checksum of the event that begins at `begin`.
fn frame(buffer: &mut [u8], session: u64, begin: usize) -> Result<(), String> {
    let split = buffer.get_mut(begin..).and_then(|record| record.split_first_chunk_mut::<FRAME>());
    let Some((head, line)) = split else { return Err(String::from("the event has no place")) };
    let length = u32::try_from(line.len()).ok().filter(|_| line.len() <= MAX_LINE);
    let length =
        length.ok_or_else(|| format!("an event of {} bytes is longer than any recording holds", line.len()))?;
    let fields = [length.to_le_bytes(), checksum(session, line).to_le_bytes()];
    head.iter_mut().zip(fields.into_iter().flatten()).for_each(|(to, from)| *to = from);
    Ok(())
}

/// CRC-32C (RFC 3720, appendix B.4) over the session's number and the event. It finds accidents, not
/// attacks: those are the business of the chain and the signatures.
fn checksum(session: u64, line: &[u8]) -> u32 {
    crc32c_append(crc32c(&session.to_le_bytes()), line)
}

/// The number of a stored event, without parsing the rest of it.
pub(super) fn seq_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let end = digits.iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// What is found next in a tail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole event; it is in the caller's buffer.
    Line,
    /// Nothing more.
    End,
    /// Bytes that are not a whole event, up to the end.
    Torn {
        /// How many there are.
        bytes: u64,
        /// Whether they look like a write that was cut off: nothing follows the first bad event.
        at_end: bool,
    },
}

/// The events of a tail, one after another.
pub(super) struct Records<R> {
    session: u64,
    from: R,
    /// Where the next event begins.
    pub(super) at: u64,
}

impl<R: Read> Records<R> {
    pub(super) const fn new(session: u64, from: R) -> Self {
        Self { session, from, at: 0 }
    }

    /// Reads the next event into `line`. After anything but [`Found::Line`], the tail is over.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Found> {
        line.clear();
        let mut head = Vec::with_capacity(FRAME);
        (&mut self.from).take(FRAME as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Ok(Found::End);
        }
        let fields = &mut head.as_slice();
        let (length, expected) = (take(fields).map(u32::from_le_bytes), take(fields).map(u32::from_le_bytes));
        // A length of nothing is what a disk leaves where the data never arrived: zeros.
        let length = length.filter(|length| *length > 0 && *length as usize <= MAX_LINE);
        if let (Some(length), Some(expected)) = (length, expected) {
            (&mut self.from).take(u64::from(length)).read_to_end(line)?;
            if line.len() == length as usize && checksum(self.session, line) == expected {
                self.at = self.at.saturating_add(FRAME as u64 + u64::from(length));
                return Ok(Found::Line);
            }
        }
        let rest = io::copy(&mut self.from, &mut io::sink())?;
        let bytes = (head.len() as u64).saturating_add(line.len() as u64).saturating_add(rest);
        line.clear();
        Ok(Found::Torn { bytes, at_end: rest == 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail() -> Vec<u8> {
        let mut tail = Vec::new();
        for seq in 1..=3 {
            put(&mut tail, 7, seq, 10, &Event::Recovered { torn: seq }).unwrap();
        }
        tail
    }

    fn walk(tail: &[u8]) -> (u64, Found) {
        walk_as(7, tail)
    }

    fn walk_as(session: u64, tail: &[u8]) -> (u64, Found) {
        let mut records = Records::new(session, tail);
        let mut line = Vec::new();
        let mut last = 0;
        loop {
            match records.next(&mut line).unwrap() {
                Found::Line => last = seq_of(&line).unwrap(),
                found => return (last, found),
            }
        }
    }

    #[test]
    fn a_tail_cut_anywhere_keeps_its_whole_events() {
        let tail = tail();
        let one = tail.len() / 3;
        for cut in 0..=tail.len() {
            let (last, found) = walk(&tail[..cut]);
            assert_eq!(last, (cut / one) as u64, "cut at {cut}");
            let torn = (cut % one) as u64;
            let expected = if torn == 0 { Found::End } else { Found::Torn { bytes: torn, at_end: true } };
            assert_eq!(found, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_byte_is_found_and_nothing_before_it_is_lost() {
        let tail = tail();
        let one = tail.len() / 3;
        for at in 0..tail.len() {
            let mut bad = tail.clone();
            bad[at] ^= 1;
            let (last, found) = walk(&bad);
            assert_eq!(last, (at / one) as u64);
            assert!(matches!(found, Found::Torn { .. }));
        }
    }

    #[test]
    fn events_of_another_session_are_none() {
        assert!(matches!(walk_as(8, &tail()), (0, Found::Torn { .. })));
    }

    #[test]
    fn zeros_are_no_events() {
        assert_eq!(walk(&[0; 64]), (0, Found::Torn { bytes: 64, at_end: false }));
    }
}
