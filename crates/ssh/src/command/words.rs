//! One word of a command line: its text where it is written out, and the commands that run to make it.

use brush_parser::word::{self, WordPiece, WordPieceWithSource};

/// What is known of one word.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The word after quotes are removed; `None` where its text is known only when it runs.
    pub(super) text: Option<String>,
    /// Texts of commands that run while the word is expanded.
    pub(super) commands: Vec<String>,
    /// Commands may run in it that were not found.
    pub(super) hidden: bool,
}

/// Looks at a word as it stands in a command.
pub(super) fn look(raw: &str) -> Known {
    look_at(raw, word::parse(raw, &super::options()).ok())
}

/// Looks at the body of a here-document that is expanded.
pub(super) fn look_at_document(raw: &str) -> Known {
    look_at(raw, word::parse_heredoc(raw, &super::options()).ok())
}

fn look_at(raw: &str, pieces: Option<Vec<WordPieceWithSource>>) -> Known {
    let Some(pieces) = pieces else { return Known { hidden: true, ..Known::default() } };
    let mut known = Known { text: Some(String::new()), ..Known::default() };
    for piece in &pieces {
        add(raw, piece, false, &mut known);
    }
    known
}

fn add(raw: &str, piece: &WordPieceWithSource, quoted: bool, known: &mut Known) {
    match &piece.piece {
        WordPiece::Text(text) if !quoted && text.contains(['*', '?', '[', '{']) => known.text = None,
        WordPiece::Text(text) | WordPiece::SingleQuotedText(text) => push(known, text),
        WordPiece::AnsiCQuotedText(text) if !text.contains('\\') => push(known, text),
        WordPiece::AnsiCQuotedText(_) => known.text = None,
        WordPiece::EscapeSequence(text) => {
            let escaped = text.strip_prefix('\\').unwrap_or(text);
            push(known, if escaped == "\n" { "" } else { escaped });
        }
        WordPiece::DoubleQuotedSequence(pieces) | WordPiece::GettextDoubleQuotedSequence(pieces) => {
            for piece in pieces {
                add(raw, piece, true, known);
            }
        }
        // What stands behind the folder is what counts.
        WordPiece::TildeExpansion(_) => push(known, "~"),
        WordPiece::CommandSubstitution(command) | WordPiece::BackquotedCommandSubstitution(command) => {
            known.text = None;
            known.commands.push(command.clone());
        }
        WordPiece::ParameterExpansion(_) | WordPiece::ArithmeticExpression(_) => {
            known.text = None;
            // A default value or a subscript can hold a substitution.
            let source = raw.get(piece.start_index..piece.end_index).unwrap_or(raw);
            known.hidden |= source.contains("$(") || source.contains('`') || source.contains("@P");
        }
    }
}

fn push(known: &mut Known, text: &str) {
    if let Some(all) = &mut known.text {
        all.push_str(text);
    }
}
