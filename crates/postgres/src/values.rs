//! Bound values as an approver reads them: one line a value, and for any two different values two
//! different texts, because an approval is bound to it.

use std::fmt::Write;

use crate::wire::bind::Value;

/// Type OIDs of PostgreSQL (`pg_type.dat`), which never change.
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const VARCHAR: u32 = 1043;
}

/// Writes values, with the types that their statement was given.
pub(crate) fn readable<'a>(values: impl Iterator<Item = Value<'a>>, types: &[u32]) -> String {
    let mut out = String::new();
    for (place, value) in values.enumerate() {
        let number = place.saturating_add(1);
        let kind = types.get(place).copied().unwrap_or_default();
        // Writing into a string does not fail.
        let _ = write!(out, "${number} = ");
        match value {
            Value { bytes: None, .. } => out.push_str("NULL"),
            Value { bytes: Some(bytes), binary: false } => quote(&mut out, bytes),
            Value { bytes: Some(bytes), binary: true } => binary(&mut out, bytes, kind),
        }
        out.push('\n');
    }
    out
}

/// A value in quotes if it is UTF-8, else as hexadecimal digits.
fn quote(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push('\'');
        }
        Err(_) => {
            out.push_str("bytes ");
            hexadecimal(out, bytes);
        }
    }
}

fn binary(out: &mut String, bytes: &[u8], kind: u32) {
    let number = match (kind, bytes) {
        (oid::INT2, &[a, b]) => Some((i64::from(i16::from_be_bytes([a, b])), "int2")),
        (oid::INT4, &[a, b, c, d]) => Some((i64::from(i32::from_be_bytes([a, b, c, d])), "int4")),
        (oid::INT8, &[a, b, c, d, e, f, g, h]) => Some((i64::from_be_bytes([a, b, c, d, e, f, g, h]), "int8")),
        _ => None,
    };
    let _ = match (number, kind, bytes) {
        (Some((number, name)), ..) => write!(out, "{number} (binary {name})"),
        (None, oid::BOOL, [0]) => write!(out, "false (binary bool)"),
        (None, oid::BOOL, [1]) => write!(out, "true (binary bool)"),
        (None, oid::TEXT | oid::VARCHAR, _) => {
            quote(out, bytes);
            write!(out, " (binary text)")
        }
        _ => {
            hexadecimal(out, bytes);
            write!(out, " (binary, type {kind})")
        }
    };
}

fn hexadecimal(out: &mut String, bytes: &[u8]) {
    out.push_str("0x");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::readable;
    use crate::wire::bind::Value;

    fn check(bytes: Option<&[u8]>, binary: bool, kind: u32, expected: &str) {
        let written = readable([Value { bytes, binary }].into_iter(), &[kind]);
        assert_eq!(written, format!("$1 = {expected}\n"));
    }

    #[test]
    fn values_are_written_so_that_people_can_read_them() {
        check(None, false, 0, "NULL");
        check(Some(b"NULL"), false, 0, "'NULL'");
        check(Some(b"it's"), false, 25, "'it''s'");
        check(Some(b"\xff'"), false, 25, "bytes 0xff27");
        check(Some(&[0, 0, 0, 42]), true, 23, "42 (binary int4)");
        check(Some(&[0xff; 8]), true, 20, "-1 (binary int8)");
        check(Some(&[1, 0]), true, 21, "256 (binary int2)");
        check(Some(&[1]), true, 16, "true (binary bool)");
        check(Some(b"abc"), true, 25, "'abc' (binary text)");
        // A number of the wrong length is shown as what it is.
        check(Some(&[0, 42]), true, 23, "0x002a (binary, type 23)");
        check(Some(&[0, 42]), true, 0, "0x002a (binary, type 0)");
    }

    #[test]
    fn no_two_lists_of_values_have_the_same_text() {
        let one = |bytes: &'static [u8]| Value { bytes: Some(bytes), binary: false };
        let apart = readable([one(b"a"), one(b"b")].into_iter(), &[]);
        let together = readable([one(b"a'\n$2 = 'b")].into_iter(), &[]);
        assert_ne!(apart, together);
    }
}
