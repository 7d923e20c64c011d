//! Durations as a configuration writes them: `250ms`, `2s`, `15m`, `1h30m`, `7d`.
//!
//! Use it as `#[serde(with = "…::duration")]` on a [`Duration`]. It knows no bounds: whoever owns
//! the key says what is too short or too long.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// Units, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Writes a duration in its shortest form.
pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Written(*duration))
}

/// Reads a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration such as \"2s\", \"15m\" or \"1h30m\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            parse(text).ok_or_else(|| {
                E::custom(format_args!("`{text}` is not a duration; write for example `2s`, `15m` or `1h30m`"))
            })
        }
    }
    from.deserialize_str(Text)
}

/// Reads one or more `NUMBER UNIT` in descending units, without spaces.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at_checked(letters)?;
        let (_, millis) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*millis)?)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// A duration that prints as configurations write it.
#[derive(Debug, Clone, Copy)]
pub struct Written(pub Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in UNITS {
            let count = left / millis;
            if count > 0 {
                write!(f, "{count}{unit}")?;
                left %= millis;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Written, parse};

    #[test]
    fn durations_are_read_and_written_alike() {
        for (text, millis) in
            [("250ms", 250), ("2s", 2_000), ("15m", 900_000), ("1h30m", 5_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(Written(Duration::from_millis(millis)).to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_not_a_duration() {
        for text in ["", "5", "s", "5 s", "1.5h", "-1s", "1s1h", "1s1s", "99999999999999999999s", "5ś"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
