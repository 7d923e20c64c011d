//! From the `[masking]` table to the rules of each target, or to everything that is wrong with it.
//!
//! Whether a target's protocol masks at all is asked where targets are planned.

mod config;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use portcullis_core::masking::{Detector, Glob, Rules, RulesError, Settings, Style, Tag};
use portcullis_core::secret::Secret;
use toml::Spanned;

pub use config::{Column, Config, Detect, Pattern, Shown, StyleName};

use crate::config::{Problem, Problems, nearest};

/// The rules of every target in the configuration, in its order.
pub(crate) fn rules(all: &crate::config::Config) -> Result<Vec<Rules>, Problems> {
    let targets: Vec<&str> = all.targets.iter().map(|target| target.common.name.as_str()).collect();
    let Some(config) = &all.process.masking else { return Ok(vec![Rules::none(); targets.len()]) };
    let mut reading = Reading { all, config, problems: Problems::default() };
    let settings = reading.settings(&targets);
    // All columns at once, so that what is wrong is told whatever target it is about.
    if reading.problems.0.is_empty()
        && let Err(why) = Rules::new(&settings)
    {
        reading.note_error(&why);
    }
    let rules = targets.iter().map(|target| reading.of_target(&settings, target)).collect();
    reading.problems.unless(rules)
}

/// One table while it is read.
struct Reading<'c> {
    all: &'c crate::config::Config,
    config: &'c Config,
    problems: Problems,
}

impl Reading<'_> {
    fn settings(&mut self, targets: &[&str]) -> Settings {
        let config = self.config;
        for named in config.targets.iter().chain(config.column.iter().filter_map(|column| column.targets.as_ref())) {
            self.check_targets(named, targets);
        }
        Settings {
            columns: config
                .column
                .iter()
                .map(|one| (one.r#match.get_ref().clone(), Tag::new(one.tag.as_str())))
                .collect(),
            detect: self.detectors(),
            patterns: config
                .pattern
                .iter()
                .map(|one| (one.regex.get_ref().clone(), Tag::new(one.tag.as_str())))
                .collect(),
            styles: config
                .tags
                .iter()
                .filter_map(|(tag, shown)| Some((Tag::new(tag.as_str()), self.style(tag, shown)?)))
                .collect(),
            key: self.key(),
        }
    }

    /// The rules of one target, from settings that are good.
    fn of_target(&mut self, settings: &Settings, target: &str) -> Rules {
        if !self.problems.0.is_empty() || !is_about(self.config.targets.as_deref(), target) {
            return Rules::none();
        }
        let here = |index: usize| {
            self.config.column.get(index).is_some_and(|column| is_about(column.targets.as_deref(), target))
        };
        let columns = settings.columns.iter().enumerate().filter(|(index, _)| here(*index));
        let columns: Vec<_> = columns.map(|(_, column)| column.clone()).collect();
        let mut styles = settings.styles.clone();
        let carried = |tag: &Tag| {
            columns.iter().chain(&settings.patterns).any(|(_, own)| own == tag)
                || settings.detect.iter().any(|detector| detector.name() == tag.name())
        };
        styles.retain(|tag, _| carried(tag));
        Rules::new(&Settings { columns, styles, ..settings.clone() }).unwrap_or_else(|why| {
            self.note_error(&why);
            Rules::none()
        })
    }

    fn check_targets(&mut self, named: &[Spanned<String>], targets: &[&str]) {
        for name in named {
            let glob = Glob::new(name.get_ref());
            if !targets.iter().any(|target| glob.matches(target)) {
                let hint = nearest(name.get_ref(), targets.iter().copied());
                let hint = hint.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
                self.note(Some(name.span()), format!("no target is called `{}`{hint}", name.get_ref()));
            }
        }
    }

    fn detectors(&mut self) -> BTreeSet<Detector> {
        let Detect::These(names) = &self.config.detect else { return Detector::ALL.into() };
        let mut detectors = BTreeSet::new();
        for name in names {
            match Detector::named(name.get_ref()) {
                Some(detector) => {
                    detectors.insert(detector);
                }
                None => {
                    let known = Detector::ALL.map(Detector::name);
                    let hint = nearest(name.get_ref(), known).map_or_else(
                        || format!("there are `{}`", known.join("`, `")),
                        |meant| format!("did you mean `{meant}`?"),
                    );
                    self.note(Some(name.span()), format!("there is no detector `{}`; {hint}", name.get_ref()));
                }
            }
        }
        detectors
    }

    fn style(&mut self, tag: &str, shown: &Shown) -> Option<Style> {
        match (shown.style, shown.keep) {
            (StyleName::Redact, None) => Some(Style::Redact),
            (StyleName::Partial, Some(keep)) => Some(Style::Partial { keep }),
            (StyleName::Hash, None) => Some(Style::Hash),
            (StyleName::Null, None) => Some(Style::Null),
            (StyleName::Partial, None) => {
                self.note_at(
                    &format!("masking.tags.{tag}"),
                    "`style = \"partial\"` needs `keep`, the number of characters that stay",
                );
                None
            }
            (_, Some(_)) => {
                self.note_at(&format!("masking.tags.{tag}.keep"), "`keep` belongs to `style = \"partial\"` alone");
                None
            }
        }
    }

    fn key(&mut self) -> Option<Secret<Vec<u8>>> {
        match self.config.key.as_ref()?.resolve() {
            Ok(key) => Some(Secret::new(key.expose().clone().into_bytes())),
            Err(why) => {
                self.note_at("masking.key", &why.to_string());
                None
            }
        }
    }

    fn note_error(&mut self, why: &RulesError) {
        let what = why.to_string();
        match why {
            RulesError::Column { index, .. } => {
                let place = self.config.column.get(*index).map(|column| column.r#match.span());
                self.note(place, what);
            }
            RulesError::Pattern { index, .. } => {
                let place = self.config.pattern.get(*index).map(|pattern| pattern.regex.span());
                self.note(place, what);
            }
            RulesError::Tag { tag, .. } => self.note_at(&format!("masking.tags.{}", tag.name()), &what),
            RulesError::Key(_) => self.note_at("masking.key", &what),
            RulesError::Whole(_) => self.note_at("masking", &what),
        }
    }

    fn note_at(&mut self, key: &str, what: &str) {
        // What stands nowhere is told of the table that it is missing in.
        let place = [key, "masking"].into_iter().find_map(|key| self.all.place(key));
        self.note(place, what.to_owned());
    }

    fn note(&mut self, place: Option<Range<usize>>, what: String) {
        let problem: Problem = self.all.source.problem(place, what);
        self.problems.0.push(problem);
    }
}

/// Whether names with `*` and `?` mean the target; no names at all mean every one.
fn is_about(names: Option<&[Spanned<String>]>, target: &str) -> bool {
    names.is_none_or(|names| names.iter().any(|name| Glob::new(name.get_ref()).matches(target)))
}
