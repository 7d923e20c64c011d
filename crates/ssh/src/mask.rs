//! What programs print, as the client may see it: a stream of text masked line by line.
//!
//! A line is looked at as a whole, however the stream was cut, so that cuts hide nothing. Escape
//! sequences within a line are not part of its text. What has no line end is held until it gets
//! one, or until the caller says that enough time has passed.

use portcullis_core::masking::Field;
use portcullis_core::permit::Permit;

/// The longest line that is looked at as a whole, in bytes. A longer one is cut at a place that
/// depends on its content alone.
const MAX_LINE: usize = 16 << 10;
/// The longest block between `BEGIN` and `END` that is held together.
const MAX_BLOCK: usize = 64 << 10;

/// One direction of a stream that is masked.
#[derive(Debug, Default)]
pub(crate) struct Masker {
    held: Vec<u8>,
}

impl Masker {
    /// Takes bytes from the target and gives what can be shown by now.
    pub(crate) fn push(&mut self, bytes: &[u8], permit: &mut Permit) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let mut shown = Vec::new();
        while let Some(length) = whole(&self.held) {
            let rest = self.held.split_off(length);
            let piece = std::mem::replace(&mut self.held, rest);
            show(&piece, permit, &mut shown);
        }
        shown
    }

    /// Gives what is held, at the end of the stream or of the wait for more.
    pub(crate) fn flush(&mut self, permit: &mut Permit) -> Vec<u8> {
        let mut shown = Vec::new();
        show(&std::mem::take(&mut self.held), permit, &mut shown);
        shown
    }

    /// Whether something is held that may be shown after a while.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }
}

/// How many of these bytes make a piece that is looked at by itself.
fn whole(held: &[u8]) -> Option<usize> {
    let line = held.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    let first = held.get(..line.unwrap_or(held.len()).min(MAX_LINE)).unwrap_or_default();
    if contains(first, b"-----BEGIN") && line.is_some_and(|line| line <= MAX_LINE) {
        // The lines of a key say nothing of themselves.
        let block = held.get(..held.len().min(MAX_BLOCK)).unwrap_or_default();
        let end = find(block, b"-----END").and_then(|at| {
            block.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')).map(|line| at + line + 1)
        });
        return end.or((held.len() >= MAX_BLOCK).then_some(MAX_BLOCK));
    }
    match line {
        Some(line) if line <= MAX_LINE => Some(line),
        _ if held.len() >= MAX_LINE => Some(cut(first)),
        _ => None,
    }
}

/// Where a line that is too long is cut: behind the last byte that is part of no value.
fn cut(first: &[u8]) -> usize {
    let within = |byte: &u8| byte.is_ascii_alphanumeric() || b" .@-_+%/=".contains(byte) || !byte.is_ascii();
    first.iter().rposition(|byte| !within(byte)).map_or(first.len(), |at| at + 1)
}

fn show(piece: &[u8], permit: &mut Permit, shown: &mut Vec<u8>) {
    if !piece.contains(&0x1b) {
        let masked = permit.mask(&Field::TEXT, piece);
        return shown.extend_from_slice(masked.bytes().unwrap_or_default());
    }
    let (text, escapes) = split(piece);
    let masked = permit.mask(&Field::TEXT, &text);
    if masked.is_clear() {
        return shown.extend_from_slice(piece);
    }
    // What moves the cursor or sets a colour comes first: within a masked line it has no place.
    shown.extend_from_slice(&escapes);
    shown.extend_from_slice(masked.bytes().unwrap_or_default());
}

/// Text and escape sequences (ECMA-48), apart.
fn split(piece: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut text, mut escapes) = (Vec::with_capacity(piece.len()), Vec::new());
    let mut rest = piece;
    while let Some(at) = rest.iter().position(|byte| *byte == 0x1b) {
        let (before, escape) = rest.split_at(at);
        text.extend_from_slice(before);
        let (escape, after) = escape.split_at(length(escape));
        escapes.extend_from_slice(escape);
        rest = after;
    }
    text.extend_from_slice(rest);
    (text, escapes)
}

fn length(escape: &[u8]) -> usize {
    let body = escape.get(2..).unwrap_or_default();
    let behind = |at: Option<usize>| at.map_or(escape.len(), |at| at + 3);
    match escape.get(1) {
        Some(b'[') => behind(body.iter().position(|byte| (0x40..=0x7e).contains(byte))),
        Some(b']' | b'P' | b'_' | b'^') => behind(body.iter().position(|byte| *byte == 7 || *byte == b'\\')),
        Some(b'(' | b')') => escape.len().min(3),
        _ => escape.len().min(2),
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    find(bytes, wanted).is_some()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
