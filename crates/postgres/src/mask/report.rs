//! Errors, notices and notifications: their text can quote values of tagged columns. What says where
//! and what went wrong stays; what may quote a value is shown as masked.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use crate::wire::WireError;
use crate::wire::body::Body;

/// What stands for a text that may quote a value.
const MASKED: &[u8] = b"[masked]";

/// How far a text is to be trusted with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// It names objects, not values.
    Kept,
    /// What it quotes may be a value.
    Unquoted,
    /// Whoever wrote it may have put anything into it.
    Masked,
}

/// What is known of where a text comes from.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    code: &'a [u8],
    /// It points into the client's own text, so what it quotes is from there.
    points: bool,
    /// Code of somebody's own ran when it was said, and can say anything in any field.
    in_code: bool,
}

impl<'a> Said<'a> {
    fn of(fields: &[(u8, &'a [u8])]) -> Self {
        let find = |wanted| fields.iter().find(|(field, _)| *field == wanted).map(|(_, text)| *text);
        // COPY and the reading of JSON say where as well, in one line.
        let servers_own = |place: &[u8]| {
            !place.contains(&b'\n') && (place.starts_with(b"COPY ") || place.starts_with(b"JSON data, "))
        };
        Self {
            code: find(b'C').unwrap_or_default(),
            points: find(b'P').is_some(),
            in_code: find(b'W').is_some_and(|place| !servers_own(place)) || find(b'F').is_some_and(is_language),
        }
    }

    /// How far a field is to be trusted (PostgreSQL manual, "Error and Notice Message Fields" and "Error
    /// Codes").
    const fn trust(self, field: u8) -> Trust {
        match (field, self.code) {
            // Severity, SQLSTATE, positions, the place in PostgreSQL's source.
            (b'S' | b'V' | b'C' | b'P' | b'p' | b'F' | b'L' | b'R', _) => Trust::Kept,
            // Where, the query that the server ran by itself, and whatever is not known here.
            (b'M' | b'D' | b'H' | b's' | b't' | b'c' | b'd' | b'n', _) if self.in_code => Trust::Masked,
            (b's' | b't' | b'c' | b'd' | b'n', _) => Trust::Kept,
            // Characters that cannot be converted are shown byte by byte.
            (b'M' | b'D' | b'H', b"22021" | b"22P05") => Trust::Masked,
            // A constraint's DETAIL shows the row.
            (b'M', [b'2', b'3', ..]) => Trust::Kept,
            (b'D' | b'H', [b'2', b'3', ..]) => Trust::Masked,
            (b'M', _) if self.points => Trust::Kept,
            (b'D' | b'H', code) if self.points && is_about_objects(code) => Trust::Kept,
            // A value can be taken for the name of an object: `email::regclass`.
            (b'M', [b'2', b'1' | b'2', ..]) => Trust::Unquoted,
            (b'M' | b'D' | b'H', code) if is_about_objects(code) => Trust::Unquoted,
            _ => Trust::Masked,
        }
    }
}

/// Whether this is a source file of a procedural language.
fn is_language(file: &[u8]) -> bool {
    file.starts_with(b"pl") || file == b"Util.c" || file == b"SPI.c"
}

/// Constraints, syntax and access, transactions, connections, limits, and the server's own state.
const fn is_about_objects(code: &[u8]) -> bool {
    matches!(
        code,
        [b'2', b'3' | b'5' | b'6' | b'8', ..]
            | [b'4', b'0' | b'2', ..]
            | [b'0', b'8' | b'A', ..]
            | [b'3', b'4' | b'D' | b'F', ..]
            | [b'5', b'3' | b'4' | b'5' | b'7' | b'8', ..]
    )
}

/// Appends an `ErrorResponse` or `NoticeResponse` without the values that it may quote, where
/// `quotes` says that it may. `scan` shows every text that is left.
pub(super) fn report(
    tag: u8,
    body: &[u8],
    quotes: bool,
    mut scan: impl FnMut(&[u8]) -> Vec<u8>,
    out: &mut BytesMut,
) -> Result<(), WireError> {
    let fields = fields(tag, body)?;
    let said = Said::of(&fields);
    framed(tag, out, |out| {
        for (field, text) in &fields {
            let shown = match said.trust(*field) {
                _ if !quotes => Cow::Borrowed(*text),
                Trust::Kept => Cow::Borrowed(*text),
                Trust::Unquoted => unquoted(text),
                Trust::Masked => Cow::Borrowed(MASKED),
            };
            out.put_u8(*field);
            if matches!(field, b'S' | b'V' | b'C' | b'P' | b'p' | b'F' | b'L' | b'R') {
                out.put_slice(&shown);
            } else {
                out.put_slice(&scan(&shown));
            }
            out.put_u8(0);
        }
        out.put_u8(0);
    });
    Ok(())
}

/// Appends a `NotificationResponse`. Another session wrote its payload, from whatever it has read.
pub(super) fn notification(
    body: &[u8],
    quotes: bool,
    mut scan: impl FnMut(&[u8]) -> Vec<u8>,
    out: &mut BytesMut,
) -> Result<(), WireError> {
    let mut read = Body::new(b'A', body);
    let process = read.take(4)?;
    let (channel, payload) = (read.string()?, read.string()?);
    read.end()?;
    framed(b'A', out, |out| {
        out.put_slice(process);
        out.put_slice(channel);
        out.put_u8(0);
        match payload {
            b"" => {}
            _ if quotes => out.put_slice(MASKED),
            payload => out.put_slice(&scan(payload)),
        }
        out.put_u8(0);
    });
    Ok(())
}

/// A setting's new value, as the target reports it, where a statement can put anything into it.
pub(crate) fn setting(name: &[u8], out: &mut BytesMut) {
    framed(b'S', out, |out| {
        out.put_slice(name);
        out.put_u8(0);
        out.put_slice(MASKED);
        out.put_u8(0);
    });
}

/// Appends a frame around what `fill` appends.
pub(super) fn framed(tag: u8, out: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let place = out.len();
    out.put_u32(0);
    fill(out);
    let length = u32::try_from(out.len().saturating_sub(place)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(place..place.saturating_add(4)) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn fields(tag: u8, body: &[u8]) -> Result<Vec<(u8, &[u8])>, WireError> {
    let mut body = Body::new(tag, body);
    let mut fields = Vec::new();
    loop {
        match body.byte()? {
            0 => return body.end().map(|()| fields),
            field => fields.push((field, body.string()?)),
        }
    }
}

/// A text without what stands between its first and its last quotation mark. Where other marks may be
/// used, in other languages, nothing of it is sure.
fn unquoted(text: &[u8]) -> Cow<'_, [u8]> {
    let quote = |byte: &u8| *byte == b'"';
    let cut = text.iter().position(quote).zip(text.iter().rposition(quote));
    let (before, after) = match cut {
        Some((first, last)) => (text.get(..first).unwrap_or_default(), text.get(last..).unwrap_or_default()),
        None => (text, &b""[..]),
    };
    match cut {
        _ if !before.is_ascii() || !after.is_ascii() => Cow::Borrowed(MASKED),
        Some((first, last)) if first < last => Cow::Owned([before, b"\"", MASKED, after].concat()),
        Some(_) => Cow::Borrowed(MASKED),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{notification, report};

    fn shown(fields: &[&str], quotes: bool) -> String {
        let body = [fields.join("\0").as_bytes(), b"\0\0"].concat();
        let mut out = BytesMut::new();
        report(b'E', &body, quotes, <[u8]>::to_vec, &mut out).unwrap();
        assert_eq!(out.len(), 1 + u32::from_be_bytes(out[1..5].try_into().unwrap()) as usize);
        String::from_utf8_lossy(&out[5..]).replace('\0', "|")
    }

    fn check(fields: &[&str], expected: &str) {
        assert_eq!(shown(fields, true), expected);
    }

    #[test]
    fn a_constraint_is_named_and_its_row_is_not_shown() {
        check(
            &[
                "C23505",
                "Mduplicate key value violates unique constraint \"k\"",
                "DKey (email)=(a@b.c) already exists.",
            ],
            "C23505|Mduplicate key value violates unique constraint \"k\"|D[masked]||",
        );
    }

    #[test]
    fn a_value_that_cannot_be_read_is_not_quoted() {
        check(
            &["C22P02", "Minvalid input syntax for type integer: \"a \" b\"", "WJSON data, line 1: a"],
            "C22P02|Minvalid input syntax for type integer: \"[masked]\"|W[masked]||",
        );
        check(&["C22012", "Mdivision by zero"], "C22012|Mdivision by zero||");
        check(&["C22P02", "Mung\u{fc}ltige Eingabesyntax: \u{bb}a\u{ab}"], "C22P02|M[masked]||");
        check(&["C22P05", "Mcharacter with byte sequence 0xc3"], "C22P05|M[masked]||");
    }

    #[test]
    fn what_users_raise_is_masked_and_what_is_about_names_is_kept() {
        check(&["CP0001", "Mno stock for a@b.c", "H?"], "CP0001|M[masked]|H[masked]||");
        check(&["C00000", "Msaid by a function"], "C00000|M[masked]||");
        check(&["C42P01", "Mrelation \"t\" does not exist", "P15"], "C42P01|Mrelation \"t\" does not exist|P15||");
        check(&["C40001", "Mcould not serialize", "Dx", "Ft.c"], "C40001|Mcould not serialize|Dx|Ft.c||");
    }

    #[test]
    fn a_value_that_is_taken_for_a_name_is_not_quoted() {
        check(&["C42P01", "Mrelation \"a@b.c\" does not exist"], "C42P01|Mrelation \"[masked]\" does not exist||");
        check(&["C3D000", "Mdatabase \"a\" does not exist"], "C3D000|Mdatabase \"[masked]\" does not exist||");
    }

    #[test]
    fn code_can_say_anything_in_any_field() {
        check(
            &["C23505", "Ma@b.c", "ta", "na", "WPL/pgSQL function f() line 1 at RAISE", "Fpl_exec.c"],
            "C23505|M[masked]|t[masked]|n[masked]|W[masked]|Fpl_exec.c||",
        );
        check(&["C23505", "Ma", "Fpl_exec.c"], "C23505|M[masked]|Fpl_exec.c||");
        check(
            &["C23502", "Mnull value in column \"a\"", "WCOPY t, line 1: \"x\""],
            "C23502|Mnull value in column \"a\"|W[masked]||",
        );
    }

    #[test]
    fn where_no_column_is_tagged_only_what_is_found_is_masked() {
        assert_eq!(shown(&["C23505", "DKey (a)=(b)"], false), "C23505|DKey (a)=(b)||");
    }

    #[test]
    fn a_notification_comes_without_its_payload() {
        let mut out = BytesMut::new();
        notification(b"\0\0\0\x01news\0secret\0", true, <[u8]>::to_vec, &mut out).unwrap();
        assert_eq!(&out[5..], b"\0\0\0\x01news\0[masked]\0");
        assert!(notification(b"\0\0\0\x01news\0secret", true, <[u8]>::to_vec, &mut out).is_err());
    }
}
