//! Our scanner against PostgreSQL's own: the same tokens at the same places, or both refuse.

use std::sync::Mutex;

use portcullis_sql::postgres::Settings;
use portcullis_sql::postgres::scan::{Scanner, TokenKind};
use proptest::prelude::*;

/// PostgreSQL's scanner is not to be called by two threads at a time.
static POSTGRES: Mutex<()> = Mutex::new(());

fn ours(text: &str) -> Option<Vec<(usize, usize, TokenKind)>> {
    let mut scanner = Scanner::new(text.as_bytes(), Settings::default());
    let mut tokens = Vec::new();
    loop {
        match scanner.next_token() {
            Ok(Some(token)) => tokens.push((token.start, token.end, token.kind)),
            Ok(None) => return Some(tokens),
            Err(_) => return None,
        }
    }
}

fn theirs(text: &str) -> Option<Vec<(usize, usize, i32)>> {
    use pg_query::protobuf::Token;
    let _alone = POSTGRES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let comments = [Token::SqlComment as i32, Token::CComment as i32];
    let offset = |at: i32| usize::try_from(at).unwrap_or(usize::MAX);
    let tokens = pg_query::scan(text).ok()?.tokens.into_iter().filter(|token| !comments.contains(&token.token));
    Some(tokens.map(|token| (offset(token.start), offset(token.end), token.token)).collect())
}

/// Whether PostgreSQL's class of a token is one that ours stands for.
fn same_class(ours: TokenKind, theirs: i32) -> bool {
    use pg_query::protobuf::Token;
    let among = |tokens: &[Token]| tokens.iter().any(|token| *token as i32 == theirs);
    match ours {
        TokenKind::Text => among(&[Token::Sconst, Token::Usconst]),
        TokenKind::Bits => among(&[Token::Bconst, Token::Xconst]),
        TokenKind::Integer => among(&[Token::Iconst, Token::Fconst]),
        TokenKind::Number => among(&[Token::Fconst]),
        TokenKind::Parameter => among(&[Token::Param]),
        TokenKind::Quoted => among(&[Token::Ident]),
        TokenKind::UnicodeQuoted => among(&[Token::Uident]),
        TokenKind::Word | TokenKind::Symbol => {
            !among(&[Token::Sconst, Token::Bconst, Token::Xconst, Token::Iconst, Token::Fconst, Token::Param])
        }
    }
}

/// Differences are fine only where PostgreSQL refuses what a string holds, or where it gives the
/// grammar a character that no grammar takes.
fn check(text: &str) -> Result<(), String> {
    match (ours(text), theirs(text)) {
        (None, None) => Ok(()),
        (Some(_), None) => {
            if refused_by_content(text) {
                Ok(())
            } else {
                Err(format!("only PostgreSQL refuses {text:?}"))
            }
        }
        (None, Some(_)) => {
            if pg_query::parse(text, 0).is_err() {
                Ok(())
            } else {
                Err(format!("only we refuse {text:?}"))
            }
        }
        (Some(ours), Some(theirs)) => {
            let same = ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(&theirs)
                    .all(|(our, their)| (our.0, our.1) == (their.0, their.1) && same_class(our.2, their.2));
            if same { Ok(()) } else { Err(format!("{text:?}\n  ours   {ours:?}\n  theirs {theirs:?}")) }
        }
    }
}

/// Escapes inside strings that name no character, digits of bit strings, and sizes of parameters
/// are none of our scanner's business: it finds where they end.
fn refused_by_content(text: &str) -> bool {
    ours(text).unwrap_or_default().iter().any(|(start, end, kind)| {
        let token = text.get(*start..*end).unwrap_or_default();
        matches!(kind, TokenKind::Bits | TokenKind::Parameter)
            || matches!(kind, TokenKind::Text) && token.contains('\\')
            || matches!(kind, TokenKind::UnicodeQuoted)
    })
}

#[test]
fn tokens_of_odd_texts_are_where_postgresql_sees_them() {
    for text in [
        "select 'a' 'b'",
        "'a'\n'b'",
        "'a' -- x\n 'b'",
        "'a' -- x\n --y\n'b'",
        "'a' /* x */ 'b'",
        "'a'\n/* x */'b'",
        "'a'--",
        "e'a\\'b'",
        "E'a\\\\' 'b'",
        "E'a'\n'b\\''",
        "b'01'\n'10'",
        "x'1f'",
        "n'a'",
        "N'a''b'",
        "u&'a'",
        "U&\"a\"",
        "u &'a'",
        "u& 'a'",
        "$$a$$",
        "$a$b$a$",
        "$a$ $b$ $a$",
        "$a$ $$ $a$",
        "$a$a$a$",
        "$a$$a$",
        "a$$b",
        "a$b$c",
        "$1",
        "$1+$2",
        "$1a",
        "$",
        "$a",
        "$a b$",
        "1",
        "1.",
        ".5",
        "1.5",
        "1e5",
        "1e+5",
        "1e",
        "1e+",
        "1.e5",
        "1..2",
        "1...2",
        "1_000",
        "1__0",
        "1_",
        "_1",
        "0x1f",
        "0x",
        "0x_1",
        "0b12",
        "0b101",
        "0o17",
        "0o8",
        "1a",
        "1.5a",
        "1e5a",
        "0x1g",
        "100_000.000_5",
        "1._5",
        "1.5e1_0",
        "1e_5",
        "a--b",
        "a-- b\nc",
        "a - - b",
        "a+-b",
        "a@-b",
        "a@-",
        "a+-",
        "a*/b",
        "a/*b*/c",
        "a+/*b*/c",
        "a/**/b",
        "a/*/**/*/b",
        "a /* /* */ b",
        "<>",
        "!=",
        ">=",
        "<=",
        "=>",
        "->",
        "->>",
        "#>>",
        "@>",
        "::",
        ":=",
        ":",
        "..",
        "a.b",
        "a.*",
        "=-1",
        "=--1",
        "<-1",
        "?|",
        "?-|",
        "~~*",
        "a[1:2]",
        "(a,b);",
        "\"a\"\"b\"",
        "\"\"",
        "\"a",
        "äöü",
        "ä1$",
        "a\u{b}b",
        "a\u{c}b",
        "\\",
        "{",
        "a\\b",
        "€",
        "'",
        "E'\\",
        "/*",
        "*/",
    ] {
        check(text).unwrap();
    }
}

/// Pieces that meet in unusual ways.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "'", "''", "\"", "\"\"", "\\", "\\'", "$", "$$", "$a$", "$1", "--", "/*", "*/", "\n", "\r", " ", "\t", "\u{c}",
        ";", ".", "..", ":", "::", ":=", "=>", "+", "-", "*", "/", "<", ">", "=", "~", "!", "@", "#", "%", "^", "&",
        "|", "`", "?", "e'", "E'", "b'", "x'", "n'", "u&'", "U&\"", "u&", "1", "0", "_", "1_0", "0x", "0b", "0o", "1e",
        "1.", "e+", "a", "E", "ä", "select", "(", ")", "[", "]", ",", "{",
    ];
    prop_oneof![4 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned), 1 => "[a-zA-Z0-9_$]{1,4}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mixtures_are_cut_as_postgresql_cuts_them(pieces in proptest::collection::vec(piece(), 0..14)) {
        check(&pieces.concat()).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn statements_of_the_table_are_cut_as_postgresql_cuts_them() {
    for line in include_str!("effects.txt").lines() {
        check(line).unwrap();
    }
}
