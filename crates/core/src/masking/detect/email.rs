//! E-mail addresses, from the `@` outwards.

use std::ops::Range;

/// The longest part before the `@`, in bytes (RFC 5321, 4.5.3.1.1).
const LOCAL: usize = 64;
/// The longest domain, in bytes (RFC 5321, 4.5.3.1.2).
const DOMAIN: usize = 255;

/// The address around the `@` at `at`. Quoted local parts and addresses of hosts are not known.
pub(super) fn email(text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = text.get(at.saturating_sub(LOCAL)..at)?;
    let local = before.iter().rev().take_while(|byte| is_local(**byte)).count();
    let dots = before.iter().skip(before.len() - local).take_while(|byte| **byte == b'.').count();
    let start = at - (local - dots);
    let length = domain(text.get(at + 1..)?)?;
    (start < at).then_some(start..at + 1 + length)
}

/// The length of the domain at the start of a text: labels with points between, letters last.
fn domain(text: &[u8]) -> Option<usize> {
    let run = text.iter().take(DOMAIN).take_while(|byte| is_domain(**byte)).count();
    let mut length = run;
    loop {
        let labels = text.get(..length)?;
        let point = labels.iter().rposition(|byte| *byte == b'.')?;
        let last = labels.get(point + 1..)?;
        let letters = last.iter().take_while(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
        let is_top = letters >= 2 && letters == last.len() || last.starts_with(b"xn--");
        if is_top && point > 0 {
            return Some(length);
        }
        // `a@b.example.` and `a@b.example-` end a sentence.
        length = if letters >= 2 && last.get(letters) == Some(&b'-') { point + 1 + letters } else { point };
    }
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || !byte.is_ascii()
}

const fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || !byte.is_ascii()
}
