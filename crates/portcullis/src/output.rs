//! What the command prints: results on standard output, errors on standard error, colours only for
//! a terminal, and the exit code that goes with them.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// What a command that worked has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing to complain of: exit code 0.
    Good,
    /// Something that the caller asked to be told of: exit code 1.
    Finding,
    /// What the command that was run for the caller says.
    Exit(u8),
}

impl Verdict {
    /// Good where `good` holds.
    pub(crate) const fn good_if(good: bool) -> Self {
        if good { Self::Good } else { Self::Finding }
    }
}

/// Why a command could not do what it was asked to: exit code 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Said in a sentence.
    Said(String),
    /// Standard output could not be written.
    Output(io::Error),
}

impl Failure {
    /// Any error, in its own words.
    pub(crate) fn of(why: impl Display) -> Self {
        Self::Said(why.to_string())
    }

    /// Whether the reader of our output has gone, as `head` does; that is no error of ours.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(why) if why.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(why) => f.write_str(why),
            Self::Output(why) => write!(f, "standard output cannot be written: {why}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(why: io::Error) -> Self {
        Self::Output(why)
    }
}

/// How a word is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warning,
    Dim,
    Strong,
}

/// Standard output and standard error.
pub(crate) struct Output {
    out: io::BufWriter<io::Stdout>,
    colours: bool,
    error_colours: bool,
}

impl Output {
    pub(crate) fn of_process() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            out: io::BufWriter::new(io::stdout()),
            colours: wanted && io::stdout().is_terminal(),
            error_colours: wanted && io::stderr().is_terminal(),
        }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// Prints a value as indented JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.out, value).map_err(io::Error::from)?;
        Ok(writeln!(self.out)?)
    }

    /// Prints a value as one line of JSON.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        Ok(writeln!(self.out)?)
    }

    /// Shows what was printed, before something that takes long.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    /// The stream itself, for what prints itself.
    pub(crate) fn stream(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// A word in its tone, coloured where somebody sees it.
    pub(crate) fn toned(&self, tone: Tone, word: impl Display) -> String {
        toned(self.colours, tone, word)
    }

    /// Prints an error.
    pub(crate) fn error(&mut self, why: impl Display) {
        let _ = self.out.flush();
        let label = toned(self.error_colours, Tone::Bad, "error:");
        let _ = writeln!(io::stderr(), "{label} {why}");
    }

    /// Prints a warning.
    pub(crate) fn warning(&mut self, why: impl Display) {
        let _ = self.out.flush();
        let label = toned(self.error_colours, Tone::Warning, "warning:");
        let _ = writeln!(io::stderr(), "{label} {why}");
    }
}

fn toned(colours: bool, tone: Tone, word: impl Display) -> String {
    if !colours {
        return word.to_string();
    }
    let style = match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Warning => AnsiColor::Yellow.on_default(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
    };
    format!("{style}{word}{style:#}")
}
