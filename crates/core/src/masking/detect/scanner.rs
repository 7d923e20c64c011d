//! One pass over a text for everything that is looked for.

use std::ops::Range;

use super::Detector;
use crate::masking::Tags;
use crate::masking::rules::RulesError;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::masking) struct Finding {
    pub(in crate::masking) range: Range<usize>,
    pub(in crate::masking) tags: Tags,
}

/// Everything that is looked for.
pub(in crate::masking) struct Scanner {
    own: Vec<(regex_automata::meta::Regex, Tags)>,
}

impl Scanner {
    pub(in crate::masking) fn new(
        _detectors: &[(Detector, Tags)],
        patterns: &[(&str, Tags)],
    ) -> Result<Self, RulesError> {
        let mut own = Vec::new();
        for (index, (pattern, tags)) in patterns.iter().enumerate() {
            let regex = regex_automata::meta::Regex::new(pattern)
                .map_err(|why| RulesError::Pattern { index, what: why.to_string() })?;
            own.push((regex, *tags));
        }
        Ok(Self { own })
    }

    /// What is found of the hidden tags: in order, and none within another.
    pub(in crate::masking) fn find(&self, text: &[u8], hidden: Tags) -> Vec<Finding> {
        let mut found = Vec::new();
        for (regex, tags) in &self.own {
            if !tags.intersection(hidden).is_empty() {
                found.extend(regex.find_iter(text).map(|one| Finding { range: one.range(), tags: *tags }));
            }
        }
        found.sort_by_key(|one| one.range.start);
        found
    }
}
