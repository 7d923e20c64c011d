//! `effects.txt`: statements and what they do, written to be read as policy.

use portcullis_core::operation::Fact;
use portcullis_sql::postgres::{Analyzer, Settings};
use portcullis_sql::{Object, QualifiedName, SqlEffect};

const TABLE: &str = include_str!("effects.txt");

/// A statement with the lines that are expected of it.
fn entries() -> Vec<(String, Vec<String>)> {
    let mut entries: Vec<(String, Vec<String>)> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match (line.strip_prefix("    "), entries.last_mut()) {
            (Some(effect), Some((_, effects))) => effects.push(effect.trim().to_owned()),
            _ => entries.push((line.replace("\\n", "\n").replace("\\t", "\t"), Vec::new())),
        }
    }
    entries
}

/// An effect as the table writes it; its columns only where the table names some.
fn written(effect: &SqlEffect, with_columns: bool) -> String {
    let mut line = format!("{} {}", effect.action.name().trim_start_matches("sql:"), object(&effect.object));
    let texts = |fact: &Fact| match fact {
        Fact::Texts(texts) => texts.join(", "),
        _ => String::new(),
    };
    if let Some(columns) = effect.facts.get("columns").filter(|_| with_columns) {
        line += &format!(" [{}]", texts(columns));
    }
    for name in ["unfiltered", "locks", "opaque"].into_iter().filter(|name| effect.facts.contains_key(name)) {
        line += &format!(" {name}");
    }
    if let Some(functions) = effect.facts.get("functions") {
        line += &format!(" functions {}", texts(functions));
    }
    line
}

fn object(object: &Object) -> String {
    let name = |name: &QualifiedName| {
        let parts = [name.database.as_deref(), name.schema.as_deref(), Some(&*name.name)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(".")
    };
    match object {
        Object::Database => "database".into(),
        Object::Relation(relation) | Object::Made(relation) => name(relation),
        Object::Schema(schema) => format!("schema {schema}"),
        Object::Routine(routine) => format!("routine {}", name(routine)),
        Object::Role(role) => format!("role {role}"),
        Object::Setting(setting) => format!("setting {setting}"),
    }
}

#[test]
fn statements_have_the_effects_that_the_table_says() {
    let analyzer = Analyzer::new(1 << 20);
    let mut wrong = Vec::new();
    for (statement, expected) in entries() {
        let analysis = analyzer.analyse(statement.as_bytes(), Settings::default());
        let effects: Vec<&SqlEffect> = analysis.statements.iter().flat_map(|statement| &statement.effects).collect();
        let with_columns = |n: usize| expected.get(n).is_some_and(|line| line.contains('['));
        let found: Vec<String> =
            effects.iter().enumerate().map(|(n, effect)| written(effect, with_columns(n))).collect();
        if found != expected {
            wrong.push(format!(
                "{statement}\n    {}\n  expected\n    {}",
                found.join("\n    "),
                expected.join("\n    ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), entries().len(), wrong.join("\n"));
}

#[test]
fn the_table_has_at_least_150_statements() {
    assert!(entries().len() >= 150, "{}", entries().len());
}
