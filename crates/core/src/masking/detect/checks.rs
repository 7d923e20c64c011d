//! Check digits and dates: the arithmetic that tells a number from one that only looks like it.

/// Luhn's check (ISO/IEC 7812-1): the last digit makes the sum a multiple of ten.
pub(super) fn luhn(digits: impl Iterator<Item = u32> + Clone) -> bool {
    let last = digits.clone().count() % 2;
    // Every other digit is doubled, the last one not.
    let doubled = |(place, digit): (usize, u32)| match (place + last) % 2 {
        1 => digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    digits.enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

/// Verhoeff's check, over the dihedral group of ten elements.
pub(super) fn verhoeff(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    digits.rev().enumerate().fold(0, |sum, (place, digit)| dihedral(sum, permuted(place % 8, digit))) == 0
}

/// The product of two elements: turns are 0 to 4, reflections 5 to 9.
const fn dihedral(one: u32, other: u32) -> u32 {
    match (one < 5, other < 5) {
        (true, true) => (one + other) % 5,
        (true, false) => (one + other - 5) % 5 + 5,
        (false, true) => (one - other) % 5 + 5,
        (false, false) => (one + 5 - other) % 5,
    }
}

/// Verhoeff's permutation, so many times.
fn permuted(times: usize, digit: u32) -> u32 {
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    (0..times).fold(digit, |digit, _| usize::try_from(digit).ok().and_then(|at| STEP.get(at).copied()).unwrap_or(0))
}

/// The sum of digits times weights.
pub(super) fn weighted(digits: impl Iterator<Item = u32>, weights: impl IntoIterator<Item = u32>) -> u32 {
    digits.zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// Whether there is such a day in such a month of some year.
pub(super) const fn is_day(month: u64, day: u64) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    day >= 1 && day <= last
}

#[cfg(test)]
mod tests {
    use super::{luhn, verhoeff};

    fn digits(number: &str) -> impl DoubleEndedIterator<Item = u32> + Clone + '_ {
        number.bytes().map(|byte| u32::from(byte - b'0'))
    }

    /// The published examples of both schemes.
    #[test]
    fn published_numbers_pass_and_every_single_slip_fails() {
        for (check, number) in [
            (&(|text: &str| luhn(digits(text))) as &dyn Fn(&str) -> bool, "79927398713"),
            (&|text: &str| verhoeff(digits(text)), "2363"),
            (&|text: &str| verhoeff(digits(text)), "123451"),
        ] {
            assert!(check(number), "{number}");
            for (at, digit) in number.bytes().enumerate() {
                for other in (b'0'..=b'9').filter(|other| *other != digit) {
                    let mut slip = number.as_bytes().to_vec();
                    slip[at] = other;
                    assert!(!check(std::str::from_utf8(&slip).unwrap()), "{number} with {} at {at}", char::from(other));
                }
            }
        }
    }
}
