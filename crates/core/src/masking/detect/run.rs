//! A run of digits within a text, and what stands around it: where all detectors of numbers begin.

use std::ops::Range;

/// The digits from `start` to `end`; no digit stands directly before or behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'t> {
    pub(super) text: &'t [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'t> Run<'t> {
    /// The run whose first digit is at `start`.
    pub(super) fn at(text: &'t [u8], start: usize) -> Self {
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        Self { text, start, end: start + length }
    }

    /// How many digits it has.
    pub(super) const fn length(self) -> usize {
        self.end - self.start
    }

    /// The byte so many places before the run: 1 is the one directly before it.
    pub(super) fn before(self, places: usize) -> Option<u8> {
        self.text.get(self.start.checked_sub(places)?).copied()
    }

    /// The byte directly behind the run.
    pub(super) fn next(self) -> Option<u8> {
        self.text.get(self.end).copied()
    }

    /// Where a shape ends that begins with the run; see [`shape`].
    pub(super) fn shaped(self, form: &[u8]) -> Option<Range<usize>> {
        shape(self.text, self.start, form)
    }
}

/// The range from `start` that has a form and stands by itself. In a form, `d` is a digit, `L` a
/// letter, and everything else is itself.
pub(super) fn shape(text: &[u8], start: usize, form: &[u8]) -> Option<Range<usize>> {
    let range = start..start + form.len();
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        b'L' => byte.is_ascii_alphabetic(),
        exact => byte == exact,
    };
    let shaped = text.get(range.clone())?.iter().zip(form).all(fits);
    (shaped && stands_alone(text, &range)).then_some(range)
}

/// Whether neither side goes on: with a word, or with a `-` or `.` and more digits.
pub(super) fn stands_alone(text: &[u8], range: &Range<usize>) -> bool {
    let digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let joint = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|byte| matches!(byte, b'-' | b'.'));
    let before = range.start.checked_sub(1);
    let joined_before = joint(before) && digit(range.start.checked_sub(2));
    let joined_behind = joint(Some(range.end)) && digit(Some(range.end + 1));
    begins_word(text, range.start) && ends_word(text, range.end) && !joined_before && !joined_behind
}

/// Whether no word goes on into `start`. What is written `\n` in a text that is escaped is no word.
pub(super) fn begins_word(text: &[u8], start: usize) -> bool {
    let before = |places: usize| start.checked_sub(places).and_then(|at| text.get(at)).copied();
    match before(1) {
        Some(b'n' | b'r' | b't') => before(2) == Some(b'\\'),
        Some(byte) => !is_word(byte),
        None => true,
    }
}

/// Whether no word goes on from `end`.
pub(super) fn ends_word(text: &[u8], end: usize) -> bool {
    text.get(end).is_none_or(|byte| !is_word(*byte))
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The digits within a range, as numbers.
pub(super) fn digits<'t>(
    text: &'t [u8],
    range: &Range<usize>,
) -> impl DoubleEndedIterator<Item = u32> + Clone + use<'t> {
    let within = text.get(range.clone()).unwrap_or_default();
    within.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'))
}

/// The number that digits write.
pub(super) fn number(digits: impl Iterator<Item = u32>) -> u64 {
    digits.fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit)))
}
