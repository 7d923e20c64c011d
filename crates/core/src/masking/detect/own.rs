//! Regular expressions of one's own: compiled within bounds, searched in linear time.

use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;

use super::scanner::Finding;
use crate::masking::Tags;
use crate::masking::rules::RulesError;

/// Expressions in one configuration.
const MAX_PATTERNS: usize = 64;
/// The largest automaton that one expression may become, in bytes.
const AUTOMATON: usize = 1 << 20;

/// The expressions, and one search for all of them at once that says whether any is there.
pub(super) struct Own {
    any: Regex,
    each: Vec<(Regex, Tags)>,
}

impl Own {
    pub(super) fn new(patterns: &[(&str, Tags)]) -> Result<Option<Self>, RulesError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        if patterns.len() > MAX_PATTERNS {
            return Err(RulesError::Whole(format!("there are more than {MAX_PATTERNS} patterns")));
        }
        let mut each = Vec::with_capacity(patterns.len());
        for (index, (pattern, tags)) in patterns.iter().enumerate() {
            let regex = compile(&[pattern], AUTOMATON).map_err(|what| RulesError::Pattern { index, what })?;
            if regex.is_match("") {
                let what = String::from("the expression is satisfied with nothing at all");
                return Err(RulesError::Pattern { index, what });
            }
            each.push((regex, *tags));
        }
        let all: Vec<_> = patterns.iter().map(|(pattern, _)| *pattern).collect();
        let any = compile(&all, AUTOMATON * all.len()).map_err(RulesError::Whole)?;
        Ok(Some(Self { any, each }))
    }

    /// Adds what is found of the hidden tags. An expression is searched by itself, so that what is
    /// revealed of one never covers what is hidden of another.
    pub(super) fn find(&self, text: &[u8], hidden: Tags, found: &mut Vec<Finding>) {
        if !self.any.is_match(text) {
            return;
        }
        for (regex, tags) in &self.each {
            if !tags.intersection(hidden).is_empty() {
                let ranges = regex.find_iter(text).map(|one| one.range());
                found.extend(ranges.filter(|range| !range.is_empty()).map(|range| Finding { range, tags: *tags }));
            }
        }
    }
}

fn compile(patterns: &[&str], bound: usize) -> Result<Regex, String> {
    // Values need not be UTF-8, and an expression for text finds the text in them all the same.
    let bytes = syntax::Config::new().utf8(false);
    let bounded = Config::new().utf8_empty(false).nfa_size_limit(Some(bound));
    let built = Regex::builder().configure(bounded).syntax(bytes).build_many(patterns);
    built.map_err(|why| match why.syntax_error() {
        Some(wrong) => format!("this is no regular expression: {wrong}"),
        None => String::from("the expression is too large"),
    })
}
