//! What a SQL text is taken for: something, always, and the same however often it is asked and
//! whatever was asked before.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use portcullis_postgres::classify;
use portcullis_sql::postgres::{Analyzer, Settings, statements};
use portcullis_sql::{Analysis, Kind, SqlEffect, Statement, vocabulary};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let settings = Settings { standard_conforming_strings: first & 1 == 0, utf8: first & 2 == 0 };
    let analysis = Analyzer::new(0).analyse(text, settings);
    assert!(!analysis.statements.is_empty());
    for statement in &analysis.statements {
        sensible(statement, text, &analysis);
    }
    let is_unknown = |effect: &SqlEffect| effect.action == vocabulary::UNKNOWN;
    let read = !analysis.statements.iter().flat_map(|statement| &statement.effects).any(is_unknown);
    // A text that was seen before, or one like it, is taken for the same thing. One that differs
    // from it in a literal that no target accepts, such as E'\666', may be known by its likes alone.
    static SEEN: OnceLock<Analyzer> = OnceLock::new();
    let seen = SEEN.get_or_init(|| Analyzer::new(8 << 20));
    for _ in 0..2 {
        let again = seen.analyse(text, settings);
        assert!(!read || again == analysis, "it was {analysis:?}, and from what was seen before it is {again:?}");
    }
    if read && let Ok(ranges) = statements(text, settings) {
        let found = if ranges.is_empty() { 1 } else { ranges.len() };
        assert_eq!(found, analysis.statements.len(), "a statement is lost or invented");
    }
    judged(&analysis);
});

fn sensible(statement: &Statement, text: &[u8], analysis: &Analysis) {
    assert!(!statement.effects.is_empty(), "a statement without an effect is one that no policy sees");
    match &statement.range {
        Some(range) => assert!(text.get(range.clone()).is_some()),
        None => assert_eq!(analysis.statements.len(), 1),
    }
    let blank = |text: &[u8]| text.iter().all(|byte| b" \t\n\r\x0b\x0c;".contains(byte));
    assert!(blank(text) || text.contains(&b'-') || text.contains(&b'/') || statement.kind != Kind::Empty);
}

/// What the session makes of it.
fn judged(analysis: &Analysis) {
    assert!(classify::relations(analysis).all(|name| !name.is_empty() && !name.contains('\0')));
    let told = || {
        let names: Vec<&str> = classify::relations(analysis).collect();
        (
            names,
            classify::forbidden(analysis),
            classify::changes_meaning(analysis),
            classify::changes_catalogue(analysis),
        )
    };
    assert_eq!(told(), told());
}
