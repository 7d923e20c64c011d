//! What is wrong with a bundle of policies: where, what, and what was probably meant.
//!
//! It quotes policies freely; they hold no secrets.

use std::fmt;
use std::sync::Arc;

use cedar_policy::ffi::DetailedError;
use serde::Serialize;

/// One thing that is wrong, or at least suspicious, in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PolicyError {
    /// The file, as the operator would name it; empty where it is about no file.
    pub file: String,
    /// Line and column, both from 1, where the place is known.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// The line in question.
    #[serde(skip)]
    excerpt: Option<String>,
}

impl PolicyError {
    /// An error about a file or a folder as a whole.
    pub(super) fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), place: None, message: message.into(), help: None, excerpt: None }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        let gap = if self.file.is_empty() { "" } else { " " };
        write!(f, "{gap}{}", self.message)?;
        if let (Some((line, column)), Some(excerpt)) = (self.place, &self.excerpt) {
            let width = line.to_string().len();
            write!(f, "\n  {line} | {excerpt}\n  {:width$} | {:indent$}^", "", "", indent = column.saturating_sub(1))?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a bundle, by file and line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct PolicyErrors(pub Vec<PolicyError>);

impl PolicyErrors {
    /// Sorts by place. Of several findings at one place the first is kept: the validator tells
    /// each once for every kind of principal and resource.
    pub(super) fn ordered(mut errors: Vec<PolicyError>) -> Self {
        errors.sort_by(|one, other| (&one.file, one.place).cmp(&(&other.file, other.place)));
        errors
            .dedup_by(|later, first| later.place.is_some() && (&later.file, later.place) == (&first.file, first.place));
        Self(errors)
    }
}

impl From<PolicyError> for PolicyErrors {
    fn from(one: PolicyError) -> Self {
        Self(vec![one])
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// A policy file's text, kept for pointing into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The file's name as the operator would write it.
    pub(super) name: Arc<str>,
    pub(super) text: Arc<str>,
}

impl Source {
    /// An error at a byte of the text.
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> PolicyError {
        let place = self.place(offset);
        let excerpt = self.text.lines().nth(place.0.saturating_sub(1)).map(|line| line.replace('\t', " "));
        PolicyError { file: self.name.to_string(), place: Some(place), message: message.into(), help: None, excerpt }
    }

    /// What Cedar says about this text, in our form.
    pub(super) fn cedar(&self, finding: &DetailedError) -> PolicyError {
        let message = lower_first(&finding.message);
        let mut error = match finding.source_locations.first() {
            Some(location) => self.error(location.loc.start, message),
            None => PolicyError::of_file(self.name.to_string(), message),
        };
        let label = finding.source_locations.first().and_then(|location| location.label.clone());
        error.help = finding.help.clone().or(label);
        error
    }

    /// Line and column of a byte, both from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let offset = (0..=offset.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let before = self.text.get(..offset).unwrap_or("");
        let line = before.rsplit('\n').next().unwrap_or("");
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
