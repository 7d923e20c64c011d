//! What a message would do: from startup parameters and analysed SQL to the effects that policy
//! decides on. Pure: names are resolved by what it is given.

use std::collections::BTreeMap;

use portcullis_core::operation::{Effect, Effects, Fact, Facts, Resource};
use portcullis_sql::vocabulary as sql;
use portcullis_sql::{Analysis, Kind, Object, QualifiedName, SessionChange, SqlEffect, Statement};

use crate::wire::startup::Startup;

/// Startup parameters that say who and where, and are told to policy under names of their own.
const NAMED: [&str; 4] = ["user", "database", "replication", "application_name"];

/// What a client's startup packet asks for.
pub fn connect(startup: &Startup, tls: bool) -> Effects {
    let database = startup.database();
    let replication = startup.get("replication").is_some_and(|mode| !matches!(mode, "false" | "off" | "no" | "0"));
    let facts: Facts = BTreeMap::from([
        ("user", Fact::Text(startup.user().into())),
        ("database", Fact::Text(database.into())),
        ("replication", Fact::Bool(replication)),
        ("options", Fact::Texts(options(startup))),
        ("tls", Fact::Bool(tls)),
    ]);
    let at = Resource::new("Database", [database]);
    let mut effects = vec![Effect { action: sql::CONNECT, resource: at.clone(), facts: facts.clone() }];
    if replication {
        effects.push(Effect { action: sql::REPLICATION, resource: at, facts });
    }
    Effects::new(effects)
}

fn options(startup: &Startup) -> Vec<Box<str>> {
    let others = startup.parameters.iter().filter(|(name, _)| !NAMED.contains(&name.as_str()));
    let mut options: Vec<Box<str>> = others.map(|(name, value)| format!("{name}={value}").into()).collect();
    options.sort_unstable();
    options
}

/// What a cancel request asks for.
pub fn cancel(database: &str) -> Effects {
    let at = Resource::new("Database", [database]);
    Effects::new(vec![Effect { action: sql::CANCEL, resource: at, facts: Facts::new() }])
}

/// What is needed to turn names into resources.
pub trait Names {
    /// The session's database.
    fn database(&self) -> &str;
    /// Every schema that an unqualified relation may be in; never empty.
    fn schemas(&self, relation: &str) -> Vec<Box<str>>;
    /// The effects of a statement that was prepared, or a cursor that was declared, under a name.
    fn stored(&self, name: &str) -> Option<std::sync::Arc<Analysis>>;
}

/// The unqualified relations of an analysis, whose schemas must be known before [`effects`].
pub fn relations<'a>(analysis: &'a Analysis) -> impl Iterator<Item = &'a str> {
    analysis.statements.iter().flat_map(|statement| &statement.effects).filter_map(unqualified)
}

fn unqualified(effect: &SqlEffect) -> Option<&str> {
    match &effect.object {
        Object::Relation(QualifiedName { schema: None, name, .. }) => Some(name),
        _ => None,
    }
}

/// The effects of everything that a text would do. What was stored under a name that the text runs
/// counts instead of what is assumed of an unknown name.
pub fn effects(analysis: &Analysis, names: &impl Names) -> Effects {
    let mut list: Vec<Effect> = Vec::new();
    for statement in &analysis.statements {
        let stored = runs(statement).and_then(|name| names.stored(name));
        let statements = stored.as_ref().map_or(std::slice::from_ref(statement), |stored| &stored.statements);
        for effect in
            statements.iter().flat_map(|statement| &statement.effects).flat_map(|effect| resolve(effect, names))
        {
            if !list.contains(&effect) {
                list.push(effect);
            }
        }
    }
    Effects::new(list)
}

/// The name under which a statement runs something that was stored before.
pub fn runs(statement: &Statement) -> Option<&str> {
    match &statement.change {
        Some(SessionChange::Execute { name } | SessionChange::Fetch { name }) => Some(name),
        _ => None,
    }
}

fn resolve(effect: &SqlEffect, names: &impl Names) -> Vec<Effect> {
    let at = |resource| Effect { action: effect.action, resource, facts: effect.facts.clone() };
    let database: Box<str> = names.database().into();
    match &effect.object {
        Object::Database => vec![at(Resource::new("Database", [database]))],
        Object::Relation(name) => {
            let database = name.database.clone().unwrap_or(database);
            let schemas = name.schema.clone().map_or_else(|| names.schemas(&name.name), |schema| vec![schema]);
            let table = |schema| at(Resource::new("Table", [database.clone(), schema, name.name.clone()]));
            schemas.into_iter().map(table).collect()
        }
        Object::Schema(schema) => vec![at(Resource::new("Schema", [database, schema.clone()]))],
        Object::Routine(name) => {
            let schema = name.schema.clone().unwrap_or_else(|| crate::names::NOWHERE.into());
            vec![at(Resource::new("Routine", [database, schema, name.name.clone()]))]
        }
        Object::Role(role) => vec![at(Resource::new("Role", [database, role.clone()]))],
        Object::Setting(setting) => vec![at(Resource::new("Setting", [database, setting.clone()]))],
    }
}

/// Client encodings in which a byte below 0x80 can be part of another character, so that the gate
/// and the target could read different statements (PostgreSQL manual, "Character Set Support").
const UNSAFE_ENCODINGS: [&str; 9] =
    ["sjis", "mskanji", "shiftjis", "shift_jis_2004", "big5", "gbk", "gb18030", "uhc", "johab"];

/// Whether texts in this client encoding are read by the gate as the target reads them.
pub fn encoding_is_safe(name: &str) -> bool {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let name = plain(name);
    !UNSAFE_ENCODINGS.iter().any(|known| plain(known) == name)
        && !matches!(
            name.as_str(),
            "win932"
                | "win936"
                | "win949"
                | "win950"
                | "windows932"
                | "windows936"
                | "windows949"
                | "windows950"
                | "shiftjis2004"
        )
}

/// Why a text must not pass whatever policy says: it would make the gate's reading of later texts
/// differ from the target's.
pub fn forbidden(analysis: &Analysis) -> Option<&'static str> {
    analysis.statements.iter().find_map(|statement| match &statement.change {
        Some(SessionChange::Set { name, values, .. }) if &**name == "client_encoding" => {
            let safe = values.as_ref().is_some_and(|values| values.iter().all(|value| encoding_is_safe(value)));
            (!safe).then_some("this client encoding is not supported here; use UTF8")
        }
        Some(SessionChange::Set { name, values, .. }) if &**name == "standard_conforming_strings" => {
            let on =
                |value: &str| matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "1" | "yes" | "default");
            let safe = values.as_ref().is_some_and(|values| values.iter().all(|value| on(value)));
            (!safe).then_some("standard_conforming_strings stays on here; use E'' for strings with escapes")
        }
        _ => None,
    })
}

/// Whether what follows in the stream must wait until the target has answered this text, because
/// it may change how later texts are to be read.
pub fn changes_meaning(analysis: &Analysis) -> bool {
    analysis.statements.iter().any(|statement| {
        let changes = statement.change.is_some() && runs(statement).is_none();
        statement.kind == Kind::CopyIn
            || changes
            || statement.effects.iter().any(|effect| is_ddl(effect) || is_opaque(effect))
    })
}

/// Whether the catalogue may be another one after this text.
pub fn changes_catalogue(analysis: &Analysis) -> bool {
    analysis
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .any(|effect| is_ddl(effect) || is_opaque(effect))
}

/// The relations that a text makes without naming a schema.
pub fn created(analysis: &Analysis) -> impl Iterator<Item = &str> {
    let effects = analysis.statements.iter().flat_map(|statement| &statement.effects);
    effects.filter(|effect| effect.action == sql::CREATE).filter_map(unqualified)
}

fn is_ddl(effect: &SqlEffect) -> bool {
    [sql::DDL, sql::CREATE, sql::ALTER, sql::DROP, sql::UNKNOWN, sql::EXECUTE].contains(&effect.action)
}

fn is_opaque(effect: &SqlEffect) -> bool {
    effect.facts.get("opaque") == Some(&Fact::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::encoding_is_safe;

    #[test]
    fn encodings_that_hide_ascii_are_not_safe() {
        for name in ["UTF8", "utf-8", "SQL_ASCII", "LATIN1", "EUC_JP", "WIN1252", "KOI8R"] {
            assert!(encoding_is_safe(name), "{name}");
        }
        for name in
            ["SJIS", "Shift_JIS", "shift-jis", "BIG5", "GBK", "gb18030", "UHC", "JOHAB", "WIN936", "SHIFT_JIS_2004"]
        {
            assert!(!encoding_is_safe(name), "{name}");
        }
    }
}
