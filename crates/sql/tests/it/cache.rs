//! What is remembered, and for which texts.

use std::sync::Arc;

use portcullis_sql::postgres::{Analyzer, Settings};

fn shared(analyzer: &Analyzer, one: &str, other: &str) -> bool {
    let one = analyzer.analyse(one.as_bytes(), Settings::default());
    let other = analyzer.analyse(other.as_bytes(), Settings::default());
    Arc::ptr_eq(&one, &other)
}

#[test]
fn a_repeated_text_has_the_same_analysis() {
    let analyzer = Analyzer::new(1 << 20);
    for text in ["select a from t", "begin", "copy t from stdin", "selec", "set x = 1", ""] {
        assert!(shared(&analyzer, text, text), "{text}");
    }
}

#[test]
fn texts_that_differ_in_literals_alone_share_an_analysis() {
    let analyzer = Analyzer::new(1 << 20);
    for (one, other) in [
        ("select a from t where b = 1", "SELECT a\nFROM t -- x\nWHERE b = 20000"),
        ("update t set a = 'x' where b = 1", "update t set a = $$y$$ where b = 2"),
        ("insert into t values (1, 'a', E'b')", "insert into t values (2, 'b', N'c')"),
    ] {
        let same = !other.contains("N'");
        assert_eq!(shared(&analyzer, one, other), same, "{other}");
    }
}

#[test]
fn literals_that_decide_something_are_not_left_out() {
    let analyzer = Analyzer::new(1 << 20);
    for (one, other) in [
        ("select set_config('a', 'b', true)", "select set_config('role', 'b', true)"),
        ("set x = 1", "set x = 2"),
        ("copy t to 'a'", "copy t to 'b'"),
        ("select 1 from U&\"d!0061\" uescape '!'", "select 1 from U&\"d!0061\" uescape '#'"),
        ("select 1 from \"a\"", "select 1 from \"A\""),
        ("delete from t where true or a = 1", "delete from t where false or a = 1"),
        ("select 1; select 2", "select 1; select 3"),
        ("select a from t where b = 1", "select a from t where b = 1.5"),
        ("select 'a'\n'b'", "select 'a' 'b'"),
    ] {
        assert!(!shared(&analyzer, one, other), "{other}");
    }
}
