//! One pass over a text for everything that is looked for.
//!
//! Digits and `@` are found by their bytes, secrets by the words that they begin with; the detectors
//! look only there. Own expressions have a pass to themselves. Each look is bounded, so the cost
//! grows with the length of the text and with nothing else.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::own::Own;
use super::run::Run;
use super::secrets::{SHORTEST, WORDS, secret};
use super::{Detector, card, email, iban, national, phone};
use crate::masking::Tags;
use crate::masking::rules::RulesError;

/// Bytes that are passed over together where none of them can begin anything.
const STRIDE: usize = 32;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::masking) struct Finding {
    pub(in crate::masking) range: Range<usize>,
    pub(in crate::masking) tags: Tags,
}

/// Everything that is looked for.
pub(in crate::masking) struct Scanner {
    /// What may begin at a run of digits, by the run's length. The last is for all longer ones.
    numbers: [Vec<(Look, Tags)>; LENGTHS],
    in_numbers: Tags,
    emails: Tags,
    words: Option<AhoCorasick>,
    secrets: Vec<Tags>,
    own: Option<Own>,
}

/// A detector that begins at a run of digits.
type Look = fn(Run<'_>) -> Option<Range<usize>>;
/// Lengths of runs that are told apart.
const LENGTHS: usize = 21;

impl Scanner {
    pub(in crate::masking) fn new(
        detectors: &[(Detector, Tags)],
        patterns: &[(&str, Tags)],
    ) -> Result<Self, RulesError> {
        let tags_of = |wanted: Detector| {
            detectors.iter().filter(|(detector, _)| *detector == wanted).map(|(_, tags)| *tags).collect::<Tags>()
        };
        let looks: Vec<_> = detectors.iter().filter_map(|(detector, tags)| Some((number(*detector)?, *tags))).collect();
        let numbers = std::array::from_fn(|length| {
            let may_begin = looks.iter().filter(|((_, lengths), _)| lengths.contains(&length));
            may_begin.map(|((look, _), tags)| (*look, *tags)).collect()
        });
        let in_numbers = looks.iter().map(|(_, tags)| *tags).collect();
        let looked_for = WORDS.iter().map(|(word, detector)| (*word, tags_of(*detector)));
        let (words, secrets): (Vec<_>, Vec<_>) = looked_for.filter(|(_, tags)| !tags.is_empty()).unzip();
        let words =
            (!words.is_empty()).then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(words));
        let words = words.transpose().map_err(|why| RulesError::Whole(why.to_string()))?;
        Ok(Self { numbers, in_numbers, emails: tags_of(Detector::Email), words, secrets, own: Own::new(patterns)? })
    }

    /// What is found of the hidden tags: in order, and none within another.
    pub(in crate::masking) fn find(&self, text: &[u8], hidden: Tags) -> Vec<Finding> {
        let mut found = Vec::new();
        self.find_shapes(text, hidden, &mut found);
        self.find_secrets(text, hidden, &mut found);
        found.iter_mut().for_each(|one| one.range = whole_characters(text, one.range.clone()));
        found.append(&mut self.find_own(text, hidden));
        if found.len() > 1 {
            found = apart(found);
        }
        found
    }

    /// What own expressions alone find of the hidden tags, in no order.
    pub(in crate::masking) fn find_own(&self, text: &[u8], hidden: Tags) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(own) = &self.own {
            own.find(text, hidden, &mut found);
        }
        found.iter_mut().for_each(|one| one.range = whole_characters(text, one.range.clone()));
        found
    }

    /// Whether own expressions are looked for.
    pub(in crate::masking) const fn has_own(&self) -> bool {
        self.own.is_some()
    }

    fn find_shapes(&self, text: &[u8], hidden: Tags, found: &mut Vec<Finding>) {
        let emails = self.emails.intersection(hidden);
        let numbers = !self.in_numbers.intersection(hidden).is_empty();
        if emails.is_empty() && !numbers {
            return;
        }
        let mut at = 0;
        while let Some(begin) = next_anchor(text, at) {
            if text.get(begin) == Some(&b'@') {
                at = begin + 1;
                if !emails.is_empty()
                    && let Some(range) = email::email(text, begin)
                {
                    found.push(Finding { range, tags: emails });
                }
            } else {
                let run = Run::at(text, begin);
                at = run.end;
                if numbers {
                    self.find_numbers(run, hidden, found);
                }
            }
        }
    }

    fn find_numbers(&self, run: Run<'_>, hidden: Tags, found: &mut Vec<Finding>) {
        for (look, tags) in self.numbers.get(run.length().min(LENGTHS - 1)).into_iter().flatten() {
            if !tags.intersection(hidden).is_empty()
                && let Some(range) = look(run)
            {
                found.push(Finding { range, tags: *tags });
            }
        }
    }

    fn find_secrets(&self, text: &[u8], hidden: Tags, found: &mut Vec<Finding>) {
        let Some(words) = self.words.as_ref().filter(|_| text.len() >= SHORTEST) else { return };
        let mut at = 0;
        while let Some(word) = words.find(Input::new(text).range(at..)) {
            at = word.end();
            let tags = self.secrets.get(word.pattern().as_usize()).copied().unwrap_or_default();
            if !tags.intersection(hidden).is_empty()
                && let Some(range) = secret(text, word.range())
            {
                // A secret is looked at once, whatever words are within it.
                at = at.max(range.end);
                found.push(Finding { range, tags });
            }
        }
    }
}

/// The detectors of numbers, with the lengths of the runs of digits that they begin with.
fn number(detector: Detector) -> Option<(Look, &'static [usize])> {
    const ANY: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
    Some(match detector {
        Detector::Card => (card::card, &[4, 13, 14, 15, 16, 17, 18, 19]),
        Detector::Iban => (iban::iban, ANY),
        Detector::Phone => (phone::phone, ANY),
        Detector::UsSsn => (national::us_ssn, &[3]),
        Detector::EsDni => (national::es_dni, &[7, 8]),
        Detector::FrNir => (national::fr_nir, &[1, 6, 13, 15]),
        Detector::BrCpf => (national::br_cpf, &[3, 11]),
        Detector::PlPesel => (national::pl_pesel, &[11]),
        Detector::FiHetu => (national::fi_hetu, &[6]),
        Detector::InAadhaar => (national::in_aadhaar, &[4, 12]),
        Detector::SePersonnummer => (national::se_personnummer, &[6, 8, 10, 12]),
        Detector::Email
        | Detector::Jwt
        | Detector::PrivateKey
        | Detector::AwsKey
        | Detector::GcpKey
        | Detector::GithubToken => return None,
    })
}

/// The next digit or `@` from `at` on.
fn next_anchor(text: &[u8], mut at: usize) -> Option<usize> {
    let is_anchor = |byte: &u8| byte.is_ascii_digit() || *byte == b'@';
    // Without an early exit the comparison of a whole stride is a few instructions.
    while let Some(stride) = text.get(at..at + STRIDE)
        && !stride.iter().fold(false, |any, byte| any | is_anchor(byte))
    {
        at += STRIDE;
    }
    text.get(at..)?.iter().position(is_anchor).map(|more| at + more)
}

/// The range with every character whole that it touches, so that UTF-8 stays UTF-8 around it.
fn whole_characters(text: &[u8], range: Range<usize>) -> Range<usize> {
    let continues = |byte: &&u8| **byte & 0xC0 == 0x80;
    // A character has at most three bytes behind its first.
    let before = match text.get(range.start) {
        Some(byte) if continues(&byte) => {
            let back = text.get(..range.start).unwrap_or_default().iter().rev();
            range.start.min(1 + back.take(2).take_while(continues).count())
        }
        _ => 0,
    };
    let behind = text.get(range.end..).unwrap_or_default().iter().take(3).take_while(continues).count();
    range.start - before..range.end + behind
}

/// Findings in order; those that overlap become one with the tags of all.
pub(in crate::masking) fn apart(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|one| (one.range.start, std::cmp::Reverse(one.range.end)));
    let mut apart: Vec<Finding> = Vec::with_capacity(found.len());
    for one in found {
        match apart.last_mut() {
            Some(last) if one.range.start < last.range.end => {
                last.range.end = last.range.end.max(one.range.end);
                last.tags |= one.tags;
            }
            _ => apart.push(one),
        }
    }
    apart
}
