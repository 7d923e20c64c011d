//! What is wrong with a configuration, and where: file, line, column, and the key that was meant.
//!
//! Only keys are ever quoted from the file, never values: a value may be a misplaced secret.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The text of a configuration file, kept for pointing into it.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The text that was read from `path`.
    pub const fn new(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder that relative paths in the file start from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    /// A problem at a place in the text; without a place it is about the whole file.
    pub fn problem(&self, at: Option<Range<usize>>, message: impl Into<String>) -> Problem {
        Problem { path: Some(self.path.clone()), place: at.map(|span| self.place(&span)), message: message.into() }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let start = (0..=span.start.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at));
        let (before, after) = self.text.split_at_checked(start.unwrap_or(0)).unwrap_or((&self.text, ""));
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let head = before.get(begin..).unwrap_or("");
        let tail = after.split('\n').next().unwrap_or("");
        Place {
            line: before.matches('\n').count() + 1,
            column: head.chars().count() + 1,
            excerpt: excerpt(&format!("{head}{tail}")),
        }
    }
}

/// The line up to and with its first `=`, which is where values begin.
fn excerpt(line: &str) -> String {
    match line.split_once('=') {
        Some((key, _)) => format!("{key}= …"),
        None if line.trim_start().starts_with('[') => line.trim_end().to_owned(),
        None => String::from("…"),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    excerpt: String,
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    path: Option<PathBuf>,
    place: Option<Place>,
    message: String,
}

impl Problem {
    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line, from 1, where it is known.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// A problem with a file as a whole, such as one that cannot be read.
    pub fn of_file(path: &Path, message: impl Into<String>) -> Self {
        Self { path: Some(path.to_owned()), place: None, message: message.into() }
    }

    /// A problem whose message says itself where it is.
    pub fn elsewhere(message: impl Into<String>) -> Self {
        Self { path: None, place: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(path) = &self.path else { return f.write_str(&self.message) };
        let path = path.display();
        let Some(place) = &self.place else { return write!(f, "{path}: {}", self.message) };
        write!(f, "{path}:{}:{}: {}", place.line, place.column, self.message)?;
        let margin = place.line.to_string();
        write!(f, "\n  {margin} | {}", place.excerpt)?;
        if place.column <= place.excerpt.chars().count() {
            write!(f, "\n  {:width$} | {:indent$}^", "", "", width = margin.len(), indent = place.column - 1)?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Debug, Default, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The value if nothing is wrong, else everything that is, in the order of the file.
    pub fn unless<T>(mut self, value: T) -> Result<T, Self> {
        self.0.sort_by_key(Problem::line);
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Problem> for Problems {
    fn from(one: Problem) -> Self {
        Self(vec![one])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
