//! Recordings in forms that other programs read, made piece by piece as they are read: no more than a
//! segment and a piece is in memory. It decides nothing about who may have them.
//!
//! What comes out is no proof of anything any more: the seal is in the recording alone.

mod asciicast;
mod jsonl;
mod ocsf;
#[cfg(test)]
mod tests;

use super::read::{ReadError, Reader};
use asciicast::{Asciicast, Version};
use ocsf::Ocsf;

/// About how many bytes come out together.
const PIECE: usize = 64 << 10;

/// A form in which a recording is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object for each event.
    Jsonl,
    /// What a terminal showed, as asciicast version 2.
    Asciicast,
    /// What a terminal showed, as asciicast version 3.
    AsciicastV3,
    /// One JSON object for each operation, in the words of OCSF.
    Ocsf,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Jsonl, Self::Asciicast, Self::AsciicastV3, Self::Ocsf];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Asciicast => "asciicast",
            Self::AsciicastV3 => "asciicast-v3",
            Self::Ocsf => "ocsf",
        }
    }
}

/// Why a recording cannot be had in a format, or not on.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The recording cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing of it is a terminal's, so there is nothing to play.
    #[error("this session has no terminal to play; take `jsonl` or `ocsf`")]
    NoTerminal,
    /// Only a terminal belongs to one operation.
    #[error("an operation is named for the formats that play its terminal, `asciicast` and `asciicast-v3`")]
    NotPlayed,
    /// The operation that was asked for has no terminal.
    #[error("operation {0} of this session has no terminal to play")]
    NoTerminalOf(u64),
}

/// A recording in another form, a piece at a time. After an error there are no more.
pub struct Export<'b> {
    reader: Reader<'b>,
    writer: Writer,
    piece: Vec<u8>,
    over: bool,
}

enum Writer {
    Jsonl,
    Asciicast(Asciicast),
    Ocsf(Ocsf),
}

impl<'b> Export<'b> {
    /// Begins with a recording of which nothing has been read. `op` is the operation whose terminal is
    /// played, for the formats that play one; without it, the first that has one.
    pub fn begin(mut reader: Reader<'b>, format: Format, op: Option<u64>) -> Result<Self, ExportError> {
        let mut piece = Vec::new();
        let mut cast = |version| Asciicast::begin(version, &mut reader, op, &mut piece).map(Writer::Asciicast);
        let writer = match format {
            Format::Jsonl | Format::Ocsf if op.is_some() => return Err(ExportError::NotPlayed),
            Format::Jsonl => Writer::Jsonl,
            Format::Ocsf => Writer::Ocsf(Ocsf::default()),
            Format::Asciicast => cast(Version::Two)?,
            Format::AsciicastV3 => cast(Version::Three)?,
        };
        Ok(Self { reader, writer, piece, over: false })
    }

    /// Reads on until there is a piece, or the end.
    fn fill(&mut self) -> Result<(), ReadError> {
        while self.piece.len() < PIECE && !self.over {
            let Some(line) = self.reader.next().transpose()? else {
                self.over = true;
                match &mut self.writer {
                    Writer::Jsonl => {}
                    Writer::Asciicast(cast) => cast.end(&mut self.piece),
                    Writer::Ocsf(ocsf) => ocsf.end(&mut self.piece),
                }
                return Ok(());
            };
            match &mut self.writer {
                Writer::Jsonl => jsonl::write(&line, &mut self.piece),
                Writer::Asciicast(cast) => cast.write(&line, &mut self.piece),
                Writer::Ocsf(ocsf) => ocsf.write(&line, &mut self.piece),
            }
        }
        Ok(())
    }
}

impl Iterator for Export<'_> {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(why) = self.fill() {
            self.over = true;
            // What was read before is good; whoever reads learns from the error that it is not all.
            self.piece.clear();
            return Some(Err(why));
        }
        if self.piece.is_empty() { None } else { Some(Ok(std::mem::take(&mut self.piece))) }
    }
}

/// Adds a value as JSON.
fn json(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    // A vector takes every byte, and all that is written here has text for keys.
    let _ = serde_json::to_writer(out, value);
}
