//! International bank account numbers (ISO 13616): the country's length, and 97.

use std::ops::Range;

use super::run::{Run, begins_word, ends_word};

/// The IBAN whose check digits begin the run.
pub(super) fn iban(run: Run<'_>) -> Option<Range<usize>> {
    if !run.before(1)?.is_ascii_alphabetic() {
        return None;
    }
    let start = run.start.checked_sub(2)?;
    let country = [run.before(2)?.to_ascii_uppercase(), run.before(1)?.to_ascii_uppercase()];
    let length = length(country)?;
    if run.length() < 2 || !begins_word(run.text, start) {
        return None;
    }
    let (end, rest) = read(run.text, start, length)?;
    (ends_word(run.text, end) && rest == 1).then_some(start..end)
}

/// Reads so many letters and digits, in groups of four or not. Gives the end, and what is left
/// when the number, its first four characters moved to its end, is divided by 97.
fn read(text: &[u8], start: usize, length: usize) -> Option<(usize, u32)> {
    let (mut at, mut rest, mut head) = (start, 0, 0_u32);
    for place in 0..length {
        if place > 0 && place.is_multiple_of(4) && matches!(text.get(at), Some(b' ' | b'-')) {
            at += 1;
        }
        let value = char::from(*text.get(at)?).to_digit(36)?;
        at += 1;
        if place < 4 {
            head = joined(head, value);
        } else {
            rest = joined(rest, value) % 97;
        }
    }
    // The head is two letters and two digits: six decimal places, and a million is 27 more than a
    // multiple of 97.
    Some((at, (rest * 27 + head) % 97))
}

/// Writes a value behind a number: letters take two places.
const fn joined(number: u32, value: u32) -> u32 {
    number * if value > 9 { 100 } else { 10 } + value
}

/// How long a country's numbers are (SWIFT's IBAN registry).
const fn length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FK" | b"FO" | b"GL" | b"NL" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"MN" | b"XK" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"CR" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"OM" | b"SO" | b"TL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"NI" | b"PL" | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}
