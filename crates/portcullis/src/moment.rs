//! Moments and durations of records, as people read them.

use jiff::Timestamp;

/// A moment, from microseconds since 1970-01-01 UTC, to the second.
pub(crate) fn second(micros: u64) -> String {
    let moment = i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    moment.map_or_else(|| format!("{micros} µs"), |moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// A duration in microseconds, with three digits or so.
pub(crate) fn length(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        1_000_000..60_000_000 => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
        _ => format!("{} min {} s", micros / 60_000_000, micros % 60_000_000 / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{length, second};

    #[test]
    fn moments_and_lengths_are_readable() {
        assert_eq!(second(1_795_402_740_123_456), "2026-11-23 02:59:00");
        for (micros, shown) in [(7, "7 µs"), (1_250, "1.2 ms"), (2_500_000, "2.5 s"), (125_000_000, "2 min 5 s")] {
            assert_eq!(length(micros), shown);
        }
    }
}
