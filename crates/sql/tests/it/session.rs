//! What statements change in the session.

use portcullis_sql::postgres::{Analyzer, Settings};
use portcullis_sql::{Kind, SessionChange, vocabulary};

fn change(statement: &str) -> Option<SessionChange> {
    let analysis = Analyzer::new(0).analyse(statement.as_bytes(), Settings::default());
    analysis.statements.first().and_then(|statement| statement.change.clone())
}

fn set(name: &str, values: Option<&[&str]>, local: bool) -> Option<SessionChange> {
    let values = values.map(|values| values.iter().map(|value| (*value).into()).collect());
    Some(SessionChange::Set { name: name.into(), values, local })
}

#[test]
fn settings_are_told_with_their_values() {
    for (statement, expected) in [
        ("set search_path to a, \"B\", 'c'", set("search_path", Some(&["a", "B", "c"]), false)),
        ("set local work_mem = 64", set("work_mem", Some(&["64"]), true)),
        ("SET STANDARD_CONFORMING_STRINGS = off", set("standard_conforming_strings", Some(&["off"]), false)),
        ("set names 'SJIS'", set("client_encoding", Some(&["SJIS"]), false)),
        ("set search_path to default", Some(SessionChange::Reset { name: "search_path".into() })),
        ("select set_config('search_path', '', false)", set("search_path", Some(&[]), false)),
        ("select pg_catalog.set_config('Search_Path', 'a', true)", set("search_path", Some(&["a"]), true)),
        ("select set_config('search_path', 'a, b', true)", set("search_path", None, false)),
        ("select set_config('search_path', x, true) from t", set("search_path", None, false)),
        ("select set_config('a', 'b', true), set_config('c', 'd', true)", Some(SessionChange::Unknown)),
        ("select set_config(x, 'b', true) from t", Some(SessionChange::Unknown)),
        ("reset all", Some(SessionChange::ResetAll)),
        ("discard all", Some(SessionChange::DiscardAll)),
        ("discard plans", None),
        ("set role none", Some(SessionChange::SetRole { role: None, local: false })),
        ("set local role 'Admin'", Some(SessionChange::SetRole { role: Some("Admin".into()), local: true })),
        (
            "set session authorization default",
            Some(SessionChange::SetSessionAuthorization { role: None, local: false }),
        ),
        ("explain select set_config('a', 'b', true)", None),
        ("explain execute p(set_config('a', 'b', true))", set("a", None, false)),
        ("update pg_settings set setting = 'a' where name = 'search_path'", Some(SessionChange::Unknown)),
        ("create temp table T (a int)", Some(SessionChange::CreateTemp { name: "t".into() })),
        ("create table pg_temp.t (a int)", Some(SessionChange::CreateTemp { name: "t".into() })),
        ("select 1 as x into temporary t", Some(SessionChange::CreateTemp { name: "t".into() })),
        ("create table t (a int)", None),
        ("deallocate p", Some(SessionChange::Deallocate { name: Some("p".into()) })),
        ("close all", Some(SessionChange::Close { name: None })),
        ("fetch next from c", Some(SessionChange::Fetch { name: "c".into() })),
        ("execute p(1)", Some(SessionChange::Execute { name: "p".into() })),
    ] {
        assert_eq!(change(statement), expected, "{statement}");
    }
}

#[test]
fn prepared_and_declared_statements_keep_what_they_would_do() {
    let Some(SessionChange::Prepare { name, analysis }) = change("prepare p (int) as delete from t where id = $1")
    else {
        panic!("no prepare");
    };
    assert_eq!((&*name, analysis.statements[0].kind), ("p", Kind::Delete));
    assert_eq!(analysis.statements[0].effects[0].action, vocabulary::DELETE);
    let Some(SessionChange::Declare { name, analysis }) = change("declare c cursor for select * from t") else {
        panic!("no declare");
    };
    assert_eq!((&*name, analysis.statements[0].effects.len()), ("c", 1));
}

#[test]
fn statements_of_a_text_know_their_part_of_it() {
    let text = b" select 1 ; -- nothing\n delete from t";
    let analysis = Analyzer::new(0).analyse(text, Settings::default());
    let parts: Vec<&[u8]> = analysis.statements.iter().map(|statement| statement.text(text)).collect();
    assert_eq!(parts, [&b"select 1"[..], b"delete from t"]);
    let kinds: Vec<Kind> = analysis.statements.iter().map(|statement| statement.kind).collect();
    assert_eq!(kinds, [Kind::Select, Kind::Delete]);
}

#[test]
fn every_input_has_a_kind() {
    for (text, kind) in [
        ("", Kind::Empty),
        ("copy t from stdin (format oops", Kind::CopyIn),
        ("copy (select from) to stdout where", Kind::CopyOut),
        ("insert into", Kind::Insert),
        ("bogus", Kind::Unknown),
        ("start transaction", Kind::Begin),
        ("rollback to a", Kind::RollbackTo),
    ] {
        let analysis = Analyzer::new(0).analyse(text.as_bytes(), Settings::default());
        assert_eq!(analysis.statements[0].kind, kind, "{text}");
    }
}

#[test]
fn settings_decide_how_a_text_is_read() {
    let text = br"select 'a\' from t --'; delete from t";
    let analyzer = Analyzer::new(1 << 20);
    let kinds = |settings| -> Vec<Kind> {
        analyzer.analyse(text, settings).statements.iter().map(|statement| statement.kind).collect()
    };
    assert_eq!(kinds(Settings::default()), [Kind::Select]);
    assert_eq!(kinds(Settings { standard_conforming_strings: false, utf8: true }), [Kind::Select, Kind::Delete]);
    let foreign = analyzer.analyse("select 'ä'".as_bytes(), Settings { utf8: false, ..Settings::default() });
    assert_eq!(foreign.statements[0].effects[0].action, vocabulary::UNKNOWN);
}
