//! National identity numbers, each with the check that its country gave it.

use std::ops::Range;

use super::checks::{is_day, luhn, verhoeff, weighted};
use super::run::{Run, digits, number, shape};

/// US social security number: no check digit, but areas, groups and serials that are never given.
pub(super) fn us_ssn(run: Run<'_>) -> Option<Range<usize>> {
    let range = run.shaped(b"ddd-dd-dddd")?;
    let digits = digits(run.text, &range);
    let area = number(digits.clone().take(3));
    let given = !matches!(area, 0 | 666 | 900..) && number(digits.clone().skip(3).take(2)) > 0;
    (given && number(digits.skip(5)) > 0).then_some(range)
}

/// Spanish DNI `12345678Z` and NIE `X1234567L`: the letter is the number modulo 23.
pub(super) fn es_dni(run: Run<'_>) -> Option<Range<usize>> {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let (start, first) = match run.length() {
        8 => (run.start, 0),
        7 => {
            let gap = 1 + usize::from(run.before(1) == Some(b'-'));
            let letter = run.before(gap)?.to_ascii_uppercase();
            (run.start - gap, u64::from(letter.checked_sub(b'X').filter(|first| *first < 3)?) * 10_000_000)
        }
        _ => return None,
    };
    let end = run.end + 1 + usize::from(run.next() == Some(b'-'));
    let wanted = LETTERS.get(usize::try_from((first + number(digits(run.text, &(run.start..run.end)))) % 23).ok()?)?;
    let letter = run.text.get(end - 1)?.to_ascii_uppercase();
    (letter == *wanted && super::run::stands_alone(run.text, &(start..end))).then_some(start..end)
}

/// French NIR: 13 places, of which the department of Corsica has a letter, and a key of two.
pub(super) fn fr_nir(run: Run<'_>) -> Option<Range<usize>> {
    const FORMS: [&[u8]; 6] = [
        b"ddddddddddddddd",
        b"ddddddddddddd dd",
        b"d dd dd dd ddd ddd dd",
        b"ddddddLdddddddd",
        b"ddddddLdddddd dd",
        b"d dd dd dL ddd ddd dd",
    ];
    if !matches!(run.text.get(run.start), Some(b'1' | b'2')) {
        return None;
    }
    let range = FORMS.iter().find_map(|form| run.shaped(form))?;
    let within = run.text.get(range.clone())?;
    // A letter is a nought, less one million for 2A and two for 2B.
    let corsica = match within.iter().find(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_uppercase) {
        None => 0,
        Some(b'A') => 1_000_000,
        Some(b'B') => 2_000_000,
        Some(_) => return None,
    };
    let places = within.iter().filter(|byte| **byte != b' ');
    let places = places.map(|byte| if byte.is_ascii_digit() { u32::from(byte - b'0') } else { 0 });
    let body = number(places.clone().take(13)).checked_sub(corsica)?;
    (97 - body % 97 == number(places.skip(13))).then_some(range)
}

/// Brazilian CPF: two digits, each a weighted sum of what stands before it.
pub(super) fn br_cpf(run: Run<'_>) -> Option<Range<usize>> {
    let range = run.shaped(b"ddd.ddd.ddd-dd").or_else(|| run.shaped(b"ddddddddddd"))?;
    let digits = digits(run.text, &range);
    let check = |places: u32| {
        let own = digits.clone().nth(usize::try_from(places).unwrap_or(0));
        own == Some(weighted(digits.clone(), (2..=places + 1).rev()) * 10 % 11 % 10)
    };
    // Numbers of one digit alone pass the check and are nobody's.
    let several = digits.clone().any(|digit| Some(digit) != digits.clone().next());
    (several && check(9) && check(10)).then_some(range)
}

/// Polish PESEL: a date whose month tells the century, and a weighted sum.
pub(super) fn pl_pesel(run: Run<'_>) -> Option<Range<usize>> {
    let range = run.shaped(b"ddddddddddd")?;
    let digits = digits(run.text, &range);
    let month = number(digits.clone().skip(2).take(2)) % 20;
    let day = number(digits.clone().skip(4).take(2));
    let sum = weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    (is_day(month, day) && sum.is_multiple_of(10)).then_some(range)
}

/// Finnish personal identity code: a date, a sign for the century, and a character modulo 31.
pub(super) fn fi_hetu(run: Run<'_>) -> Option<Range<usize>> {
    const CHARACTERS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let sign = run.next()?;
    if !matches!(sign, b'-' | b'+' | b'A'..=b'F' | b'U'..=b'Y') {
        return None;
    }
    let last = *run.text.get(run.start + 10)?;
    let form = [b'd', b'd', b'd', b'd', b'd', b'd', sign, b'd', b'd', b'd', last];
    let range = run.shaped(&form)?;
    let digits = digits(run.text, &(range.start..range.end - 1));
    let day = number(digits.clone().take(2));
    let month = number(digits.clone().skip(2).take(2));
    let wanted = CHARACTERS.get(usize::try_from(number(digits) % 31).ok()?)?;
    (is_day(month, day) && last.to_ascii_uppercase() == *wanted).then_some(range)
}

/// Indian Aadhaar: twelve digits, the first above 1, with Verhoeff's check.
pub(super) fn in_aadhaar(run: Run<'_>) -> Option<Range<usize>> {
    const FORMS: [&[u8]; 3] = [b"dddddddddddd", b"dddd dddd dddd", b"dddd-dddd-dddd"];
    if matches!(run.text.get(run.start), Some(b'0' | b'1')) {
        return None;
    }
    let range = FORMS.iter().find_map(|form| run.shaped(form))?;
    // Four more digits make it a number in groups of another kind.
    let goes_on = matches!(run.text.get(range.end), Some(b' ')) && Run::at(run.text, range.end + 1).length() == 4;
    let grouped = range.len() > 12;
    (verhoeff(digits(run.text, &range)) && !(grouped && goes_on)).then_some(range)
}

/// Swedish personal identity number: a date, of which the day may be 60 more, and Luhn's check.
pub(super) fn se_personnummer(run: Run<'_>) -> Option<Range<usize>> {
    const FORMS: [&[u8]; 5] = [b"dddddd-dddd", b"dddddd+dddd", b"dddddddd-dddd", b"dddddddddddd", b"dddddddddd"];
    let range = FORMS.iter().find_map(|form| shape(run.text, run.start, form))?;
    let all = digits(run.text, &range);
    let century = all.clone().count() - 10;
    let digits = all.clone().skip(century);
    let month = number(digits.clone().skip(2).take(2));
    let day = number(digits.clone().skip(4).take(2));
    let known = century == 0 || matches!(number(all.take(2)), 18..=20);
    let day = if day > 60 { day - 60 } else { day };
    (known && is_day(month, day) && luhn(digits)).then_some(range)
}
