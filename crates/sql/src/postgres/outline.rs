//! What the scanner alone can tell of a text: its statements, their kinds, its shape (literals
//! left out), and whether it is small enough to be parsed.
//!
//! It knows no effects. What it says of kinds is used only where PostgreSQL's grammar fails.

use std::ops::Range;

use super::Settings;
use super::scan::{Scanner, Token, TokenKind, Unreadable};
use crate::Kind;

/// Texts with more tokens than this are not parsed.
pub(crate) const MAX_TOKENS: usize = 100_000;

/// Shapes longer than this are not remembered.
const MAX_SHAPE: usize = 8 << 10;

/// What was found. Reused between texts so that nothing is allocated.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// Statements that are not empty, in order.
    pub(crate) statements: Vec<Range<usize>>,
    /// The shape, if the text has one.
    pub(crate) shape: Vec<u8>,
    /// Whether the text is one statement whose effects do not depend on its literals, as far as
    /// the scanner can tell.
    pub(crate) has_shape: bool,
    /// Whether the text has literals at all.
    pub(crate) has_literals: bool,
    /// How many tokens there are.
    pub(crate) tokens: usize,
}

/// Scans all of `text` into `outline`; too many tokens are an error. The error leaves `outline` with what came before.
pub(crate) fn outline(text: &[u8], settings: Settings, outline: &mut Outline) -> Result<(), Unreadable> {
    outline.statements.clear();
    outline.shape.clear();
    outline.has_shape = true;
    outline.has_literals = false;
    outline.tokens = 0;
    let mut scanner = Scanner::new(text, settings);
    let mut splitter = Splitter::default();
    let mut current: Option<Range<usize>> = None;
    while let Some(token) = scanner.next_token()? {
        outline.tokens += 1;
        if outline.tokens > MAX_TOKENS {
            // Not parsed, and not split either: each statement costs many times its text.
            return Err(Unreadable);
        }
        let word = text.get(token.start..token.end).unwrap_or_default();
        if splitter.separates(token, word) {
            outline.statements.extend(current.take());
            continue;
        }
        match &mut current {
            Some(range) => range.end = token.end,
            None => {
                outline.has_shape &= outline.statements.is_empty() && begins_shape(token, word);
                current = Some(token.start..token.end);
            }
        }
        if outline.has_shape {
            outline.add(token, word);
        }
    }
    outline.statements.extend(current);
    outline.has_shape &= !outline.statements.is_empty();
    Ok(())
}

impl Outline {
    /// Adds a token to the shape. Tokens end with a zero byte, which no text contains; literals are
    /// control characters, which begin no token.
    fn add(&mut self, token: Token, word: &[u8]) {
        self.has_literals |=
            matches!(token.kind, TokenKind::Text | TokenKind::Bits | TokenKind::Integer | TokenKind::Number);
        match token.kind {
            TokenKind::Text => self.shape.push(1),
            TokenKind::Bits => self.shape.push(2),
            TokenKind::Integer => self.shape.push(3),
            TokenKind::Number => self.shape.push(4),
            TokenKind::Word => self.shape.extend(word.iter().map(u8::to_ascii_lowercase)),
            TokenKind::Quoted | TokenKind::Parameter | TokenKind::Symbol => self.shape.extend_from_slice(word),
            TokenKind::UnicodeQuoted => self.has_shape = false,
        }
        self.shape.push(0);
        self.has_shape &= self.shape.len() <= MAX_SHAPE;
    }
}

/// Whether statements that begin so may have effects that no literal changes.
fn begins_shape(token: Token, word: &[u8]) -> bool {
    const FIRST: [&[u8]; 8] = [b"select", b"insert", b"update", b"delete", b"merge", b"with", b"values", b"table"];
    match token.kind {
        TokenKind::Word => FIRST.iter().any(|first| word.eq_ignore_ascii_case(first)),
        _ => word == b"(",
    }
}

/// Finds the semicolons that separate statements: not those in parentheses (`CREATE RULE`), and
/// not those in a body of `BEGIN ATOMIC … END`.
#[derive(Debug, Default)]
struct Splitter {
    parentheses: usize,
    blocks: usize,
    begun: bool,
    /// Words so far, while they may still be those of `CREATE [OR REPLACE] FUNCTION`.
    prefix: usize,
    is_routine: bool,
    last_was_begin: bool,
}

impl Splitter {
    fn separates(&mut self, token: Token, word: &[u8]) -> bool {
        match (token.kind, word) {
            (TokenKind::Symbol, b"(") => self.parentheses += 1,
            (TokenKind::Symbol, b")") => self.parentheses = self.parentheses.saturating_sub(1),
            (TokenKind::Symbol, b";") if self.parentheses == 0 && self.blocks == 0 => {
                *self = Self::default();
                return true;
            }
            (TokenKind::Word, _) => self.word(word),
            _ => {}
        }
        if token.kind != TokenKind::Word {
            self.last_was_begin = false;
        }
        self.begun = true;
        false
    }

    fn word(&mut self, word: &[u8]) {
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        match self.prefix {
            0 if !self.begun && is("create") => self.prefix = 1,
            1 if is("or") || is("replace") => {}
            1 => {
                self.is_routine = is("function") || is("procedure");
                self.prefix = 2;
            }
            _ => {}
        }
        if self.is_routine {
            match () {
                () if self.last_was_begin && is("atomic") => self.blocks += 1,
                () if self.blocks > 0 && is("case") => self.blocks += 1,
                () if self.blocks > 0 && is("end") => self.blocks -= 1,
                () => {}
            }
        }
        self.last_was_begin = is("begin");
    }
}

/// The kind of a statement by its first words, for statements that the grammar does not know.
pub(crate) fn kind(statement: &[u8], settings: Settings) -> Kind {
    let mut scanner = Scanner::new(statement, settings);
    let mut next = || match scanner.next_token() {
        Ok(Some(token)) => statement.get(token.start..token.end).unwrap_or_default().to_ascii_lowercase(),
        Ok(None) | Err(Unreadable) => Vec::new(),
    };
    let first = next();
    match first.as_slice() {
        b"" => Kind::Empty,
        b"select" | b"values" | b"table" | b"(" => Kind::Select,
        b"with" => Kind::Select,
        b"insert" => Kind::Insert,
        b"update" => Kind::Update,
        b"delete" => Kind::Delete,
        b"merge" => Kind::Merge,
        b"truncate" => Kind::Truncate,
        b"lock" => Kind::Lock,
        b"begin" | b"start" => Kind::Begin,
        b"commit" | b"end" => Kind::Commit,
        b"rollback" | b"abort" => Kind::Rollback,
        b"savepoint" => Kind::Savepoint,
        b"release" => Kind::Release,
        b"prepare" => Kind::Prepare,
        b"set" => Kind::Set,
        b"show" => Kind::Show,
        b"reset" => Kind::Reset,
        b"discard" => Kind::Discard,
        b"execute" => Kind::Execute,
        b"deallocate" => Kind::Deallocate,
        b"declare" => Kind::Declare,
        b"fetch" | b"move" => Kind::Fetch,
        b"close" => Kind::Close,
        b"explain" => Kind::Explain,
        b"listen" => Kind::Listen,
        b"unlisten" => Kind::Unlisten,
        b"notify" => Kind::Notify,
        b"create" => Kind::Create,
        b"alter" => Kind::Alter,
        b"drop" => Kind::Drop,
        b"comment" => Kind::Comment,
        b"grant" => Kind::Grant,
        b"revoke" => Kind::Revoke,
        b"do" => Kind::Do,
        b"call" => Kind::Call,
        b"vacuum" => Kind::Vacuum,
        b"analyze" | b"analyse" => Kind::Analyze,
        b"cluster" => Kind::Cluster,
        b"reindex" => Kind::Reindex,
        b"refresh" => Kind::Refresh,
        b"checkpoint" => Kind::Checkpoint,
        b"load" => Kind::Load,
        b"import" => Kind::Import,
        b"reassign" => Kind::Reassign,
        b"copy" => copy(next),
        _ => Kind::Unknown,
    }
}

/// `COPY t [(…)] FROM` is in, everything else is out.
fn copy(mut next: impl FnMut() -> Vec<u8>) -> Kind {
    let mut depth = 0_usize;
    loop {
        match next().as_slice() {
            b"" => return Kind::Unknown,
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            b"from" if depth == 0 => return Kind::CopyIn,
            b"to" if depth == 0 => return Kind::CopyOut,
            _ => {}
        }
    }
}
