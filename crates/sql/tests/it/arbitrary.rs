//! Texts of no sense and of absurd size: an answer, never a panic or an overflow.

use portcullis_sql::postgres::{Analyzer, Settings};
use portcullis_sql::{Kind, vocabulary};
use proptest::prelude::*;

fn is_unknown(text: &str) -> bool {
    let analysis = Analyzer::new(0).analyse(text.as_bytes(), Settings::default());
    analysis
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .any(|effect| effect.action == vocabulary::UNKNOWN)
}

#[test]
fn deep_texts_do_not_overflow_the_stack() {
    let deep = |open: &str, inner: &str, close: &str, times: usize| {
        format!("select {}{inner}{}", open.repeat(times), close.repeat(times))
    };
    for times in [1_000, 4_000, 20_000, 49_000, 250_000] {
        for (open, inner, close) in [
            ("(", "1", ")"),
            ("1+", "1", ""),
            ("- ", "1", ""),
            ("not ", "true", ""),
            ("array[", "1", "]"),
            ("f(", "1", ")"),
            ("(select ", "1", ")"),
            ("case when true then ", "1", " end"),
            ("1 union select ", "1", ""),
            ("a::b::", "c", ""),
            ("", "a", "[1]"),
            ("", "a", " is null"),
            ("1 and (2 or ", "3", ")"),
            ("1 from (select ", "1", ") x"),
            ("1 from a join ", "b", " on true"),
        ] {
            let text = deep(open, inner, close, times);
            if times >= 250_000 {
                assert!(is_unknown(&text), "{open} {times}");
            }
        }
    }
    assert!(is_unknown(&"(".repeat(1 << 20)));
    assert!(is_unknown(&format!("select 1{}", "+1".repeat(1 << 19))));
}

#[test]
fn sizes_of_real_life_are_known() {
    assert!(!is_unknown(&format!("select 1{}", "+1".repeat(2_000))));
    assert!(!is_unknown(&format!("select 1 from t where {}", vec!["a = 1"; 5_000].join(" or "))));
    assert!(!is_unknown(&format!("insert into t values {}", vec!["(1, 'a', null)"; 5_000].join(", "))));
    assert!(!is_unknown(&format!("select 1 from t where a in ({})", vec!["1"; 40_000].join(","))));
    assert!(!is_unknown(&vec!["select 1"; 500].join(" union all ")));
}

#[test]
fn bytes_that_the_target_would_read_otherwise_are_unknown() {
    let analyzer = Analyzer::new(1 << 20);
    for text in [&b"select 1\0; delete from t"[..], b"select '\xff'", b"\xc3\x28", b"select \"\xed\xa0\x80\""] {
        let analysis = analyzer.analyse(text, Settings::default());
        assert_eq!(analysis.statements[0].effects[0].action, vocabulary::UNKNOWN);
        assert_ne!(analysis.statements[0].kind, Kind::Empty);
    }
}

fn word() -> impl Strategy<Value = String> {
    let words = [
        "select",
        "from",
        "where",
        "delete",
        "update",
        "set",
        "insert",
        "into",
        "values",
        "with",
        "as",
        "(",
        ")",
        ",",
        ";",
        "t",
        "a.b",
        "*",
        "=",
        "1",
        "'x'",
        "$1",
        "returning",
        "union",
        "join",
        "on",
        "create",
        "table",
        "function",
        "begin",
        "atomic",
        "end",
        "case",
        "drop",
        "copy",
        "to",
        "stdout",
        "merge",
        "using",
        "when",
        "matched",
        "then",
        "grant",
        "explain",
        "analyze",
        "$$",
        "'",
        "\"",
        "--",
        "/*",
        "*/",
    ];
    proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_have_an_analysis(bytes in proptest::collection::vec(any::<u8>(), 0..200), conforming: bool, utf8: bool) {
        let settings = Settings { standard_conforming_strings: conforming, utf8 };
        let analysis = Analyzer::new(1 << 16).analyse(&bytes, settings);
        prop_assert!(!analysis.statements.is_empty());
        prop_assert!(analysis.statements.iter().all(|statement| !statement.effects.is_empty()));
    }

    #[test]
    fn any_words_have_an_analysis(words in proptest::collection::vec(word(), 0..25), conforming: bool) {
        let settings = Settings { standard_conforming_strings: conforming, utf8: true };
        let analysis = Analyzer::new(1 << 16).analyse(words.join(" ").as_bytes(), settings);
        prop_assert!(analysis.statements.iter().all(|statement| !statement.effects.is_empty()));
    }
}
