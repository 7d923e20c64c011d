//! Payment cards: the issuers' prefixes and lengths, Luhn's digit, groups of digits.

use std::ops::Range;

use super::checks::luhn;
use super::run::{Run, digits, number};

/// The longest card number, in digits (ISO/IEC 7812-1).
const LONGEST: usize = 19;

/// As many hexadecimal digits around a number make it a part of a digest.
const DIGEST: usize = 8;

/// The card number that begins with the run.
pub(super) fn card(run: Run<'_>) -> Option<Range<usize>> {
    let end = match (run.length(), run.next()) {
        (13..=LONGEST, _) => Some(run.end),
        (4, Some(separator @ (b' ' | b'-'))) => grouped(run, separator),
        _ => None,
    }?;
    let range = run.start..end;
    (is_card(run.text, &range) && !follows_point(run) && !in_digest(run.text, &range)).then_some(range)
}

/// The end of the longest number in groups that is a card: `4111 1111 1111 1111`.
fn grouped(run: Run<'_>, separator: u8) -> Option<usize> {
    let (mut end, mut count, mut best) = (run.end, run.length(), None);
    while run.text.get(end) == Some(&separator) {
        let group = Run::at(run.text, end + 1);
        count += group.length();
        if !(2..=6).contains(&group.length()) || count > LONGEST {
            break;
        }
        end = group.end;
        if is_card(run.text, &(run.start..end)) {
            best = Some(end);
        }
    }
    best
}

fn is_card(text: &[u8], range: &Range<usize>) -> bool {
    let digits = digits(text, range);
    is_issued(number(digits.clone().take(4)), digits.clone().count()) && luhn(digits)
}

/// Whether an issuer has numbers with these first four digits and this length.
const fn is_issued(first: u64, length: usize) -> bool {
    match first {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => length == 16,
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3600..=3699 | 3800..=3999 => matches!(length, 14 | 16),
        3528..=3589 | 6011 | 6200..=6299 | 6440..=6599 => matches!(length, 16..=LONGEST),
        5000..=5099 | 5600..=5899 | 6000..=6999 => matches!(length, 16 | 18 | 19),
        _ => false,
    }
}

/// Whether the digits are part of a long hexadecimal number. Letters as such may stand beside a
/// card, for cards are glued to words at times.
fn in_digest(text: &[u8], range: &Range<usize>) -> bool {
    let before = text.get(..range.start).unwrap_or_default().iter().rev();
    let behind = text.get(range.end..).unwrap_or_default().iter();
    let hex = |byte: &&u8| byte.is_ascii_hexdigit();
    before.take(DIGEST).take_while(hex).count() + behind.take(DIGEST).take_while(hex).count() >= DIGEST
}

/// Digits behind a decimal point are no card.
fn follows_point(run: Run<'_>) -> bool {
    run.before(1) == Some(b'.') && run.before(2).is_some_and(|byte| byte.is_ascii_digit())
}
