//! PostgreSQL's lexical rules (manual, "Lexical Structure"; PostgreSQL 15 to 18): where tokens
//! begin and end.
//!
//! It knows no grammar: whether tokens make a statement is for PostgreSQL's own parser to say. It
//! is tested against PostgreSQL's own scanner.

use super::Settings;

/// What a token is, as far as anything here depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An unquoted word, keyword or not.
    Word,
    /// `"…"`.
    Quoted,
    /// `U&"…"`, whose meaning may depend on a literal that follows.
    UnicodeQuoted,
    /// Any string: `'…'`, `E'…'`, `U&'…'`, `$tag$…$tag$`.
    Text,
    /// `B'…'` or `X'…'`.
    Bits,
    /// A whole number.
    Integer,
    /// Any other number.
    Number,
    /// `$1`.
    Parameter,
    /// An operator or a punctuation mark.
    Symbol,
}

/// One token: the text between `start` and `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// The offset of its first byte.
    pub start: usize,
    /// The offset behind its last byte.
    pub end: usize,
}

/// The text cannot be cut into tokens: something is not closed, or a number runs into a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// Cuts a text into tokens, leaving out blanks and comments.
#[derive(Debug, Clone)]
pub struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    settings: Settings,
}

/// How a quote can be part of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Not at all.
    Plain,
    /// As two quotes.
    Doubled,
    /// As two quotes, or behind a backslash.
    Escaped,
}

/// PostgreSQL refuses operators of this length and longer (`NAMEDATALEN`).
const MAX_OPERATOR: usize = 64;

impl<'t> Scanner<'t> {
    /// A scanner at the beginning of `text`.
    pub fn new(text: &'t [u8], settings: Settings) -> Self {
        Self { text, at: 0, settings }
    }

    /// The next token, `None` at the end. After an error nothing further is to be asked.
    pub fn next_token(&mut self) -> Result<Option<Token>, Unreadable> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(first) = self.peek(0) else { return Ok(None) };
        let kind = match first {
            b'\'' if self.settings.standard_conforming_strings => self.quoted_text(1, Quoting::Doubled)?,
            b'\'' => self.quoted_text(1, Quoting::Escaped)?,
            b'"' => self.quoted_name(1, TokenKind::Quoted)?,
            b'$' => self.dollar()?,
            b'0'..=b'9' => self.number()?,
            b'.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.number()?,
            _ if starts_word(first) => self.word(first)?,
            _ => self.symbol(first)?,
        };
        Ok(Some(Token { kind, start, end: self.at }))
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) -> Result<(), Unreadable> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(byte), _) if is_blank(byte) => self.at += 1,
                (Some(b'-'), Some(b'-')) => self.at += line_length(self.rest()),
                (Some(b'/'), Some(b'*')) => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), Unreadable> {
        self.at += 2;
        let mut depth = 1_usize;
        while depth > 0 {
            let skipped = memchr::memchr2(b'/', b'*', self.rest()).ok_or(Unreadable)?;
            self.at += skipped;
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    fn word(&mut self, first: u8) -> Result<TokenKind, Unreadable> {
        match (first | 0x20, self.peek(1), self.peek(2)) {
            (b'e', Some(b'\''), _) => return self.quoted_text(2, Quoting::Escaped),
            (b'b' | b'x', Some(b'\''), _) => return self.quoted_text(2, Quoting::Plain).map(|_| TokenKind::Bits),
            (b'u', Some(b'&'), Some(b'\'')) if self.settings.standard_conforming_strings => {
                return self.quoted_text(3, Quoting::Doubled);
            }
            (b'u', Some(b'&'), Some(b'\'')) => return Err(Unreadable),
            (b'u', Some(b'&'), Some(b'"')) => return self.quoted_name(3, TokenKind::UnicodeQuoted),
            // `N'…'` is the word `nchar` and a string for PostgreSQL, so the word ends here.
            (b'n', Some(b'\''), _) => {
                self.at += 1;
                return Ok(TokenKind::Word);
            }
            _ => {}
        }
        let rest = self.rest();
        self.at += rest.iter().position(|byte| !continues_word(*byte)).unwrap_or(rest.len());
        Ok(TokenKind::Word)
    }

    fn quoted_name(&mut self, opening: usize, kind: TokenKind) -> Result<TokenKind, Unreadable> {
        self.at += opening;
        let start = self.at;
        loop {
            self.at += memchr::memchr(b'"', self.rest()).ok_or(Unreadable)? + 1;
            if self.peek(0) != Some(b'"') {
                break;
            }
            self.at += 1;
        }
        // A name of no characters is an error for PostgreSQL.
        if self.at - start == 1 { Err(Unreadable) } else { Ok(kind) }
    }

    fn quoted_text(&mut self, opening: usize, quoting: Quoting) -> Result<TokenKind, Unreadable> {
        self.at += opening;
        loop {
            self.closing_quote(quoting)?;
            match continuation(self.rest()) {
                Some(length) => self.at += length,
                None => return Ok(TokenKind::Text),
            }
        }
    }

    fn closing_quote(&mut self, quoting: Quoting) -> Result<(), Unreadable> {
        loop {
            let found = match quoting {
                Quoting::Escaped => memchr::memchr2(b'\'', b'\\', self.rest()),
                Quoting::Doubled | Quoting::Plain => memchr::memchr(b'\'', self.rest()),
            };
            self.at += found.ok_or(Unreadable)?;
            match (self.peek(0), self.peek(1)) {
                (Some(b'\\'), None) => return Err(Unreadable),
                (Some(b'\\'), Some(_)) => self.at += 2,
                (_, Some(b'\'')) if quoting != Quoting::Plain => self.at += 2,
                _ => {
                    self.at += 1;
                    return Ok(());
                }
            }
        }
    }

    fn dollar(&mut self) -> Result<TokenKind, Unreadable> {
        if self.peek(1).is_some_and(|next| next.is_ascii_digit()) {
            self.at += 1;
            while self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
                self.at += 1;
            }
            return if self.peek(0).is_some_and(starts_word) { Err(Unreadable) } else { Ok(TokenKind::Parameter) };
        }
        let mut length = 1;
        if self.peek(length).is_some_and(starts_word) {
            while self.peek(length).is_some_and(|byte| byte != b'$' && continues_word(byte)) {
                length += 1;
            }
        }
        if self.peek(length) != Some(b'$') {
            return Err(Unreadable);
        }
        let tag = self.rest().get(..=length).ok_or(Unreadable)?;
        self.at += tag.len();
        self.at += memchr::memmem::find(self.rest(), tag).ok_or(Unreadable)? + tag.len();
        Ok(TokenKind::Text)
    }

    fn number(&mut self) -> Result<TokenKind, Unreadable> {
        let radix = match (self.peek(0), self.peek(1).map(|byte| byte | 0x20)) {
            (Some(b'0'), Some(b'x')) => Some(16),
            (Some(b'0'), Some(b'o')) => Some(8),
            (Some(b'0'), Some(b'b')) => Some(2),
            _ => None,
        };
        let kind = match radix {
            Some(radix) => {
                self.at += 2;
                self.digits(radix, true)?;
                TokenKind::Integer
            }
            None => self.decimal()?,
        };
        let runs_on = if radix.is_some() { continues_word } else { starts_word };
        if self.peek(0).is_some_and(runs_on) { Err(Unreadable) } else { Ok(kind) }
    }

    fn decimal(&mut self) -> Result<TokenKind, Unreadable> {
        let mut kind = TokenKind::Integer;
        if self.peek(0) != Some(b'.') {
            self.digits(10, false)?;
        }
        // `1..2` is a number and two dots.
        if self.peek(0) == Some(b'.') && self.peek(1) != Some(b'.') {
            kind = TokenKind::Number;
            self.at += 1;
            if self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
                self.digits(10, false)?;
            }
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            kind = TokenKind::Number;
            self.at += 1;
            if matches!(self.peek(0), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits(10, false)?;
        }
        Ok(kind)
    }

    /// One digit or more, with single underscores between them, and before them where `leading`.
    fn digits(&mut self, radix: u32, leading: bool) -> Result<(), Unreadable> {
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| char::from(byte).is_digit(radix));
        if leading && self.peek(0) == Some(b'_') {
            self.at += 1;
        }
        if !is_digit(self.peek(0)) {
            return Err(Unreadable);
        }
        let mut underscored = false;
        loop {
            if is_digit(self.peek(0)) {
                self.at += 1;
            } else if self.peek(0) == Some(b'_') && is_digit(self.peek(1)) {
                underscored = true;
                self.at += 2;
            } else if underscored && self.peek(0) == Some(b'$') {
                // The longest match is a shorter number and a name: `1` and `_0$`.
                return Err(Unreadable);
            } else {
                return Ok(());
            }
        }
    }

    fn symbol(&mut self, first: u8) -> Result<TokenKind, Unreadable> {
        let length = match (first, self.peek(1)) {
            (b':', Some(b':' | b'=')) | (b'.', Some(b'.')) => 2,
            _ if is_operator(first) => operator_length(self.rest()),
            (b'(' | b')' | b'[' | b']' | b',' | b';' | b':' | b'.', _) => 1,
            _ => return Err(Unreadable),
        };
        if length >= MAX_OPERATOR {
            return Err(Unreadable);
        }
        self.at += length;
        Ok(TokenKind::Symbol)
    }
}

/// How many bytes of `rest` are one operator: comments begin inside a run of operator characters,
/// and a trailing `+` or `-` belongs to what follows unless a character says otherwise.
fn operator_length(rest: &[u8]) -> usize {
    let run = rest.iter().take_while(|byte| is_operator(**byte)).count();
    let run = rest.get(..run).unwrap_or_default();
    let comment = run.windows(2).position(|pair| matches!(pair, b"--" | b"/*"));
    let mut run = run.get(..comment.unwrap_or(run.len())).unwrap_or_default();
    let keeps_sign = |byte: &u8| b"~!@#^&|`?%".contains(byte);
    while let [before @ .., b'+' | b'-'] = run {
        if before.is_empty() || before.iter().any(keeps_sign) {
            break;
        }
        run = before;
    }
    run.len()
}

/// The length of blanks with a line break, and an opening quote, that continue a string.
fn continuation(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut broken = false;
    loop {
        match (rest.get(at)?, rest.get(at + 1)) {
            (b'\n' | b'\r', _) => {
                broken = true;
                at += 1;
            }
            (byte, _) if is_blank(*byte) => at += 1,
            (b'-', Some(b'-')) => at += line_length(rest.get(at..)?),
            (b'\'', _) if broken => return Some(at + 1),
            _ => return None,
        }
    }
}

fn line_length(rest: &[u8]) -> usize {
    memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())
}

fn is_blank(byte: u8) -> bool {
    is_of(byte, BLANK)
}

fn starts_word(byte: u8) -> bool {
    is_of(byte, WORD_START)
}

fn continues_word(byte: u8) -> bool {
    is_of(byte, WORD_START | WORD_REST)
}

fn is_operator(byte: u8) -> bool {
    is_of(byte, OPERATOR)
}

fn is_of(byte: u8, classes: u8) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|class| class & classes != 0)
}

const BLANK: u8 = 1;
const WORD_START: u8 = 2;
const WORD_REST: u8 = 4;
const OPERATOR: u8 = 8;

/// The class of each byte: one look-up tells it.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    #[expect(clippy::indexing_slicing, reason = "a byte is always within 256 places, and the compiler runs this")]
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => BLANK,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => WORD_START,
            b'0'..=b'9' | b'$' => WORD_REST,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'-' | b'*' | b'/' | b'%' | b'<'
            | b'>' | b'=' => OPERATOR,
            _ => 0,
        };
        if byte == 255 {
            break classes;
        }
        byte += 1;
    }
};
