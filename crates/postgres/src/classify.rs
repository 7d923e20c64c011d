//! What a message would do: from startup parameters and analysed SQL to the effects that policy
//! decides on. Pure: names are resolved by what it is given.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portcullis_core::operation::{Action, Effect, Effects, Fact, Facts, Resource};
use portcullis_sql::vocabulary as sql;
use portcullis_sql::{Analysis, Kind, Object, QualifiedName, SessionChange, SqlEffect, Statement};

use crate::names::{SearchPath, TEMPORARY};
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

/// What a statement runs that was stored before, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored<'n> {
    /// A prepared statement.
    Statement(&'n str),
    /// A cursor.
    Cursor(&'n str),
}

/// What is needed to turn names into resources.
pub(crate) trait Names {
    /// The session's database.
    fn database(&self) -> &str;
    /// Every schema that an unqualified relation may be in; never empty. `earlier` is what the same
    /// text does before.
    fn schemas(&self, relation: &str, earlier: &Earlier) -> Vec<Box<str>>;
    /// Every schema in which an unqualified relation may be made; never empty.
    fn creation(&self, earlier: &Earlier) -> Vec<Box<str>>;
    /// What a statement that was prepared, or a cursor that was declared, would do.
    fn stored(&self, name: Stored<'_>) -> Option<Arc<Analysis>>;
    /// The search path after a change.
    fn moved(&self, change: &PathChange<'_>) -> SearchPath;
}

/// What the statements of a text so far change for those behind them, which the target reads only
/// when it comes to them.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// Search paths that may count by now, beside the session's.
    pub(crate) path: Option<SearchPath>,
    /// Relations that were made, and whether they are temporary.
    pub(crate) made: HashMap<Box<str>, bool>,
    stored: Vec<(bool, Box<str>, Option<Arc<Analysis>>)>,
    /// Names of what is stored may stand for anything.
    stored_unknown: bool,
}

impl Earlier {
    fn note(&mut self, statement: &Statement, ran: Option<&Analysis>, names: &impl Names) {
        if is_unfollowed(statement) || (ran.is_none() && matches!(runs(statement), Some(Stored::Statement(_)))) {
            self.path = Some(SearchPath::Unknown);
        }
        self.stored_unknown |= is_unfollowed(statement);
        let ran = ran.into_iter().flat_map(|ran| &ran.statements);
        for change in std::iter::once(statement).chain(ran).filter_map(|statement| statement.change.as_ref()) {
            if let Some(moved) = path_change(change).map(|change| names.moved(&change)) {
                self.path = Some(self.path.take().map_or_else(|| moved.clone(), |path| path.or(&moved)));
            }
        }
        for effect in &statement.effects {
            if let Object::Made(name) = &effect.object {
                self.made.insert(name.name.clone(), name.schema.as_deref() == Some(TEMPORARY));
            }
        }
        match &statement.change {
            Some(SessionChange::Prepare { name, analysis }) => self.store(true, name, Some(analysis)),
            Some(SessionChange::Declare { name, analysis }) => self.store(false, name, Some(analysis)),
            Some(SessionChange::Deallocate { name: Some(name) }) => self.store(true, name, None),
            Some(SessionChange::Close { name: Some(name) }) => self.store(false, name, None),
            Some(SessionChange::Deallocate { name: None } | SessionChange::DiscardAll | SessionChange::Unknown) => {
                self.stored_unknown = true;
            }
            _ => {}
        }
    }

    fn store(&mut self, statement: bool, name: &str, analysis: Option<&Arc<Analysis>>) {
        self.stored.push((statement, name.into(), analysis.cloned()));
    }

    fn stored(&self, run: Stored<'_>, names: &impl Names) -> Option<Arc<Analysis>> {
        let (statement, name) = match run {
            Stored::Statement(name) => (true, name),
            Stored::Cursor(name) => (false, name),
        };
        if self.stored_unknown {
            return None;
        }
        match self.stored.iter().rev().find(|(sort, known, _)| *sort == statement && **known == *name) {
            Some((_, _, analysis)) => analysis.clone(),
            None => names.stored(run),
        }
    }
}

/// The unqualified relations of an analysis, whose schemas must be known before [`effects`].
pub fn relations(analysis: &Analysis) -> impl Iterator<Item = &str> {
    analysis.statements.iter().flat_map(|statement| {
        let stored = match &statement.change {
            Some(SessionChange::Prepare { analysis, .. } | SessionChange::Declare { analysis, .. })
                // Only what the text itself runs counts, and one statement alone does not.
                if statement.range.is_some() =>
            {
                &analysis.statements[..]
            }
            _ => &[],
        };
        stored.iter().chain(std::iter::once(statement)).flat_map(|statement| &statement.effects).filter_map(unqualified)
    })
}

fn unqualified(effect: &SqlEffect) -> Option<&str> {
    match &effect.object {
        Object::Relation(QualifiedName { schema: None, name, .. }) => Some(name),
        _ => None,
    }
}

/// The effects of everything that a text would do, in the session as each statement will find it.
/// What was stored under a name that the text runs counts instead of what is assumed of an unknown
/// name.
pub(crate) fn effects(analysis: &Analysis, names: &impl Names) -> Effects {
    let mut list = Distinct::default();
    let mut earlier = Earlier::default();
    for statement in &analysis.statements {
        let stored = runs(statement).and_then(|run| earlier.stored(run, names));
        let instead = stored.is_some();
        let own = statement.effects.iter().filter(|effect| !(instead && is_assumed(effect)));
        let run = stored.iter().flat_map(|stored| &stored.statements).flat_map(|statement| &statement.effects);
        for effect in own.chain(run).flat_map(|effect| resolve(effect, names, &earlier)) {
            list.add(effect);
        }
        earlier.note(statement, stored.as_deref(), names);
    }
    Effects::new(list.effects)
}

/// What `EXECUTE` and `FETCH` are said to do while it is not known what they run. Beside it stands
/// what their arguments do, or the relation that they fill.
fn is_assumed(effect: &SqlEffect) -> bool {
    effect.object == Object::Database && [sql::EXECUTE, sql::SELECT].contains(&effect.action)
}

/// Effects, each once.
#[derive(Default)]
struct Distinct {
    effects: Vec<Effect>,
    places: HashMap<(&'static str, Vec<Box<str>>), Vec<usize>>,
}

impl Distinct {
    fn add(&mut self, effect: Effect) {
        let key = (effect.action.name(), effect.resource.path.clone());
        let places = self.places.entry(key).or_default();
        if !places.iter().any(|place| self.effects.get(*place) == Some(&effect)) {
            places.push(self.effects.len());
            self.effects.push(effect);
        }
    }
}

/// What a statement runs that was stored before.
pub(crate) fn runs(statement: &Statement) -> Option<Stored<'_>> {
    match &statement.change {
        Some(SessionChange::Execute { name }) => Some(Stored::Statement(name)),
        Some(SessionChange::Fetch { name }) => Some(Stored::Cursor(name)),
        _ => None,
    }
}

/// Whether a statement puts values into rows, or may.
pub(crate) fn writes_rows(statement: &Statement) -> bool {
    const WRITES: [Action; 5] = [sql::INSERT, sql::UPDATE, sql::MERGE, sql::COPY_IN, sql::UNKNOWN];
    statement.effects.iter().any(|effect| WRITES.contains(&effect.action))
}

fn resolve(effect: &SqlEffect, names: &impl Names, earlier: &Earlier) -> Vec<Effect> {
    let at = |resource| Effect { action: effect.action, resource, facts: effect.facts.clone() };
    let database: Box<str> = names.database().into();
    let tables = |name: &QualifiedName, schemas: Vec<Box<str>>| {
        let database = name.database.as_ref().unwrap_or(&database);
        let table = |schema| at(Resource::new("Table", [database.clone(), schema, name.name.clone()]));
        schemas.into_iter().map(table).collect()
    };
    match &effect.object {
        Object::Database => vec![at(Resource::new("Database", [database]))],
        Object::Relation(name) | Object::Made(name) if name.schema.is_some() => {
            tables(name, name.schema.iter().cloned().collect())
        }
        Object::Relation(name) => tables(name, names.schemas(&name.name, earlier)),
        Object::Made(name) => tables(name, names.creation(earlier)),
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
        Some(SessionChange::Prepare { analysis, .. } | SessionChange::Declare { analysis, .. }) => forbidden(analysis),
        _ => statement.effects.iter().find_map(|effect| match &effect.object {
            Object::Setting(name) if effect.action == sql::SESSION => forbidden_setting(statement, name),
            _ => None,
        }),
    })
}

/// Only a plain `SET` says what the setting will be, and `SHOW` and `RESET` do no harm.
fn forbidden_setting(statement: &Statement, name: &str) -> Option<&'static str> {
    let is_safe: fn(&str) -> bool = match name {
        "client_encoding" => encoding_is_safe,
        "standard_conforming_strings" => {
            |value| matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "1" | "yes" | "default")
        }
        _ => return None,
    };
    let safe = match &statement.change {
        Some(SessionChange::Set { name: set, values: Some(values), .. }) if **set == *name => {
            values.iter().all(|value| is_safe(value))
        }
        Some(SessionChange::Reset { .. }) => true,
        _ => statement.kind == Kind::Show,
    };
    (!safe).then_some(match name {
        "client_encoding" => "this client encoding is not supported here; use UTF8",
        _ => "standard_conforming_strings stays on here; use E'' for strings with escapes",
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

/// Whether the catalogue may be another one after this text. What a function that is called does
/// there is noticed when answers grow old.
pub fn changes_catalogue(analysis: &Analysis) -> bool {
    let may =
        |effect: &SqlEffect| is_opaque(effect) || (is_ddl(effect) && !matches!(effect.object, Object::Routine(_)));
    // What is run by a name that was stored reads and writes rows.
    let assumed = |statement: &Statement, effect: &SqlEffect| runs(statement).is_some() && is_assumed(effect);
    let changes =
        |statement: &Statement| statement.effects.iter().any(|effect| may(effect) && !assumed(statement, effect));
    analysis.statements.iter().any(changes)
}

/// How a change moves the search path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PathChange<'c> {
    /// To these schemas, where they are known.
    To(Option<&'c [Box<str>]>),
    /// To what it was at login.
    Back,
    /// The roles are another's: what `$user` means, and which schemas can be used.
    Roles,
    /// To what it was at login, and the roles with it.
    All,
    /// Anywhere.
    Unknown,
}

/// How a change of the session moves the search path, if it does.
pub(crate) fn path_change(change: &SessionChange) -> Option<PathChange<'_>> {
    let of = |name: &str| (name == "search_path", matches!(name, "role" | "session_authorization"));
    match change {
        SessionChange::Set { name, values, .. } => match of(name) {
            (true, _) => Some(PathChange::To(values.as_deref())),
            (_, true) => Some(PathChange::Roles),
            _ => None,
        },
        SessionChange::Reset { name } => match of(name) {
            (true, _) => Some(PathChange::Back),
            (_, true) => Some(PathChange::Roles),
            _ => None,
        },
        SessionChange::ResetAll => Some(PathChange::Back),
        SessionChange::DiscardAll => Some(PathChange::All),
        SessionChange::SetRole { .. } | SessionChange::SetSessionAuthorization { .. } => Some(PathChange::Roles),
        SessionChange::Unknown => Some(PathChange::Unknown),
        _ => None,
    }
}

/// Whether a statement runs what the gate does not see, and that may change the session: code, a
/// statement that is not known, a text that cannot be read. A fetch from a cursor is a query.
pub fn is_unfollowed(statement: &Statement) -> bool {
    let unseen =
        |effect: &SqlEffect| effect.action == sql::UNKNOWN || (is_opaque(effect) && effect.action == sql::EXECUTE);
    runs(statement).is_none() && statement.effects.iter().any(unseen)
}

/// Whether a statement begins or ends transactions, or undoes part of one.
pub const fn controls_transactions(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Begin
            | Kind::Commit
            | Kind::Rollback
            | Kind::Savepoint
            | Kind::Release
            | Kind::RollbackTo
            | Kind::PrepareTransaction
            | Kind::Unknown
    )
}

/// The relations that a text makes without naming a schema.
pub fn created(analysis: &Analysis) -> impl Iterator<Item = &str> {
    let effects = analysis.statements.iter().flat_map(|statement| &statement.effects);
    effects.filter_map(|effect| match &effect.object {
        Object::Made(QualifiedName { schema: None, name, .. }) => Some(&**name),
        _ => None,
    })
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
