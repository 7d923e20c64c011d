//! Values of a result as people read them: text as it is, and the binary format of the commonest
//! types as the text format of the same value. What is not known stays as it came.

use std::borrow::Cow;

/// Type OIDs of PostgreSQL (`pg_type.dat`), which never change, with their names.
const TYPES: [(u32, &str); 27] = [
    (16, "bool"),
    (17, "bytea"),
    (18, "char"),
    (19, "name"),
    (20, "int8"),
    (21, "int2"),
    (23, "int4"),
    (25, "text"),
    (26, "oid"),
    (114, "json"),
    (142, "xml"),
    (700, "float4"),
    (701, "float8"),
    (869, "inet"),
    (1007, "int4[]"),
    (1009, "text[]"),
    (1042, "bpchar"),
    (1043, "varchar"),
    (1082, "date"),
    (1083, "time"),
    (1114, "timestamp"),
    (1184, "timestamptz"),
    (1186, "interval"),
    (1266, "timetz"),
    (1700, "numeric"),
    (2950, "uuid"),
    (3802, "jsonb"),
];

/// A type's name, or its number.
pub(crate) fn type_name(kind: u32) -> String {
    let known = TYPES.iter().find(|(oid, _)| *oid == kind);
    known.map_or_else(|| kind.to_string(), |(_, name)| (*name).to_owned())
}

/// A value as text.
pub(crate) fn text(kind: u32, binary: bool, value: &[u8]) -> Cow<'_, [u8]> {
    if !binary {
        return value.into();
    }
    let name = TYPES.iter().find(|(oid, _)| *oid == kind).map_or("", |(_, name)| name);
    let text = match (name, value) {
        ("jsonb", [1, json @ ..]) => return json.into(),
        (_, value) => written(name, value),
    };
    text.map_or(value.into(), |text| Cow::Owned(text.into_bytes()))
}

/// A binary value in the text format; `None` where it cannot be told.
fn written(name: &str, value: &[u8]) -> Option<String> {
    Some(match (name, value) {
        ("bool", [0]) => "f".to_owned(),
        ("bool", [1]) => "t".to_owned(),
        ("int2", &[a, b]) => i16::from_be_bytes([a, b]).to_string(),
        ("int4", &[a, b, c, d]) => i32::from_be_bytes([a, b, c, d]).to_string(),
        ("oid", &[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]).to_string(),
        ("float4", &[a, b, c, d]) => f32::from_be_bytes([a, b, c, d]).to_string(),
        ("int8", &[a, b, c, d, e, f, g, h]) => i64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string(),
        ("float8", &[a, b, c, d, e, f, g, h]) => f64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string(),
        ("date", &[a, b, c, d]) => date(i32::from_be_bytes([a, b, c, d]))?,
        ("timestamp" | "timestamptz", &[a, b, c, d, e, f, g, h]) => {
            moment(i64::from_be_bytes([a, b, c, d, e, f, g, h]), name == "timestamptz")?
        }
        ("uuid", value) if value.len() == 16 => uuid(value),
        ("bytea", value) => format!("\\x{}", hexadecimal(value)),
        _ => return None,
    })
}

/// Days since 2000-01-01; infinities and what no calendar here has are `None`.
fn date(days: i32) -> Option<String> {
    let day = jiff::civil::date(2000, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    Some(day.to_string())
}

/// Microseconds since 2000-01-01 00:00.
fn moment(micros: i64, zoned: bool) -> Option<String> {
    let epoch = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);
    let then = epoch.checked_add(jiff::Span::new().try_microseconds(micros).ok()?).ok()?;
    let text = then.to_string().replacen('T', " ", 1);
    Some(if zoned { text + "+00" } else { text })
}

fn uuid(value: &[u8]) -> String {
    let digits = hexadecimal(value);
    let mut out = String::with_capacity(36);
    for (place, digit) in digits.chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

fn hexadecimal(value: &[u8]) -> String {
    value.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{text, type_name};

    fn check(kind: u32, value: &[u8], expected: &str) {
        assert_eq!(String::from_utf8_lossy(&text(kind, true, value)), expected, "{}", type_name(kind));
    }

    #[test]
    fn binary_values_are_written_as_the_text_format_has_them() {
        check(16, &[1], "t");
        check(23, &(-7_i32).to_be_bytes(), "-7");
        check(20, &7_i64.to_be_bytes(), "7");
        check(701, &1.5_f64.to_be_bytes(), "1.5");
        check(1082, &1_i32.to_be_bytes(), "2000-01-02");
        check(1114, &1_500_000_i64.to_be_bytes(), "2000-01-01 00:00:01.5");
        check(1184, &0_i64.to_be_bytes(), "2000-01-01 00:00:00+00");
        check(2950, &[0x77; 16], "77777777-7777-7777-7777-777777777777");
        check(3802, b"\x01{}", "{}");
        check(17, &[0, 255], "\\x00ff");
        check(25, b"as it is", "as it is");
    }

    #[test]
    fn what_is_not_known_stays_as_it_came() {
        for (kind, value) in [(23, &b"abc"[..]), (16_400, &[0, 1]), (1082, &i32::MAX.to_be_bytes()), (1700, &[0; 8])] {
            assert_eq!(&*text(kind, true, value), value);
        }
        assert_eq!(&*text(23, false, b"42"), b"42");
        assert_eq!(type_name(16_400), "16400");
    }
}
