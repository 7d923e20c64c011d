//! Telephone numbers: international ones (E.164) behind their `+`, and North American ones in the
//! forms that nothing else has. A bare run of digits is never one.

use std::ops::Range;

use super::run::{Run, begins_word, digits, ends_word, number, shape};

/// The fewest digits of an international number: shorter ones are offsets and differences.
const SHORTEST: usize = 8;
/// The most digits of an international number (E.164).
const LONGEST: usize = 15;
/// North American forms, without the leading `1`.
const FORMS: [&[u8]; 4] = [b"ddd-ddd-dddd", b"ddd.ddd.dddd", b"ddd) ddd-dddd", b"ddd)ddd-dddd"];

/// The telephone number that begins with the run, or with the sign or bracket before it.
pub(super) fn phone(run: Run<'_>) -> Option<Range<usize>> {
    match run.before(1) {
        Some(b'+') => international(run),
        Some(b'(') if run.before(2) == Some(b'+') => None,
        _ if run.length() == 3 => north_american(run),
        _ => None,
    }
}

fn international(run: Run<'_>) -> Option<Range<usize>> {
    let start = run.start - 1;
    if run.text.get(run.start) == Some(&b'0') || !begins_word(run.text, start) {
        return None;
    }
    let (mut end, mut count) = (run.end, run.length());
    while let Some(group) = next_group(run.text, end).filter(|group| count + group.length() <= LONGEST) {
        (end, count) = (group.end, count + group.length());
    }
    ((SHORTEST..=LONGEST).contains(&count) && ends_word(run.text, end)).then_some(start..end)
}

/// The digits behind one separator, or behind a bracket with its space.
fn next_group(text: &[u8], end: usize) -> Option<Run<'_>> {
    let rest = text.get(end..)?;
    let gap = rest.iter().take(2).take_while(|byte| matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/')).count();
    let brackets = rest.iter().take(gap).filter(|byte| matches!(byte, b'(' | b')')).count();
    let group = Run::at(text, end + gap);
    (gap > 0 && gap - brackets <= 1 && group.length() > 0).then_some(group)
}

fn north_american(run: Run<'_>) -> Option<Range<usize>> {
    let bracketed = run.before(1) == Some(b'(');
    let fits = |form: &&&[u8]| form.contains(&b')') == bracketed;
    let range = FORMS.iter().filter(fits).find_map(|form| shape(run.text, run.start, form))?;
    let digits = digits(run.text, &range);
    // Neither an area nor an exchange begins with 0 or 1.
    let plausible = number(digits.clone().take(1)) > 1 && number(digits.skip(3).take(1)) > 1;
    plausible.then_some(run.start - usize::from(bracketed)..range.end)
}
