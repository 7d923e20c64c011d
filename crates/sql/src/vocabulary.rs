//! The words of the SQL family: actions, resources and facts that policies may name.
//!
//! It says what exists and what each word means; which statement has which effect is decided by
//! the dialect's `effects` modules.

use portcullis_core::vocabulary::{Action, ActionEntry, FactEntry, FactType, ResourceKind, Vocabulary};

/// Opens a session.
pub const CONNECT: Action = Action::new("sql:connect");
/// Reads: [`SELECT`] and [`LOCK`].
pub const READ: Action = Action::new("sql:read");
/// Reads rows.
pub const SELECT: Action = Action::new("sql:select");
/// Locks rows or a relation.
pub const LOCK: Action = Action::new("sql:lock");
/// Changes rows, whichever way but [`COPY_IN`].
pub const WRITE: Action = Action::new("sql:write");
/// Adds rows.
pub const INSERT: Action = Action::new("sql:insert");
/// Changes rows in place.
pub const UPDATE: Action = Action::new("sql:update");
/// Removes rows.
pub const DELETE: Action = Action::new("sql:delete");
/// Runs `MERGE`; what it then does is told by the other writes.
pub const MERGE: Action = Action::new("sql:merge");
/// Empties a relation.
pub const TRUNCATE: Action = Action::new("sql:truncate");
/// Moves rows in bulk: [`COPY_OUT`] and [`COPY_IN`]. Told beside the read or the write that it is.
pub const COPY: Action = Action::new("sql:copy");
/// Streams rows out.
pub const COPY_OUT: Action = Action::new("sql:copy-out");
/// Streams rows in.
pub const COPY_IN: Action = Action::new("sql:copy-in");
/// Changes what exists: [`CREATE`], [`ALTER`] and [`DROP`].
pub const DDL: Action = Action::new("sql:ddl");
/// Makes an object.
pub const CREATE: Action = Action::new("sql:create");
/// Changes an object.
pub const ALTER: Action = Action::new("sql:alter");
/// Removes an object.
pub const DROP: Action = Action::new("sql:drop");
/// Administers: [`GRANT`] and [`MAINTAIN`].
pub const ADMIN: Action = Action::new("sql:admin");
/// Changes who may do what: privileges, roles, owners, row-level policies.
pub const GRANT: Action = Action::new("sql:grant");
/// Keeps the target running: vacuum, statistics, indexes, checkpoints, other sessions.
pub const MAINTAIN: Action = Action::new("sql:maintain");
/// Changes or shows the session's own state: settings, transactions, role, cursors, channels.
pub const SESSION: Action = Action::new("sql:session");
/// Runs a routine that is not known to be pure, or a text that is not in the statement.
pub const EXECUTE: Action = Action::new("sql:execute");
/// Leaves the database: files and programs of the target's host, other servers, loaded code.
pub const SERVER: Action = Action::new("sql:server");
/// Reads the replication stream or steers replication.
pub const REPLICATION: Action = Action::new("sql:replication");
/// Cancels what another connection runs.
pub const CANCEL: Action = Action::new("sql:cancel");
/// Does something that the gate cannot tell. Policy denies it by default.
pub const UNKNOWN: Action = Action::new("sql:unknown");

/// The fact that tells which tags a statement's conditions look at.
pub const PROBES: &str = "probes";
/// The fact that tells which tags a statement carries to where nothing hides them.
pub const CARRIES: &str = "carries";

const DATABASE: &[&str] = &["Database"];
const ROWS: &[&str] = &["Database", "Schema", "Table"];
const CODE: &[&str] = &["Database", "Schema", "Routine"];
const ANYTHING: &[&str] = &["Database", "Schema", "Table", "Routine", "Role", "Setting"];

const fn entry(
    action: Action,
    within: &'static [Action],
    applies_to: &'static [&'static str],
    meaning: &'static str,
) -> ActionEntry {
    ActionEntry { action, within, applies_to, meaning }
}

const ACTIONS: &[ActionEntry] = &[
    entry(CONNECT, &[], DATABASE, "opens a session"),
    entry(READ, &[], ROWS, "reads rows or locks them"),
    entry(SELECT, &[READ], ROWS, "reads rows"),
    entry(LOCK, &[READ], ROWS, "locks rows or a relation"),
    entry(WRITE, &[], ROWS, "changes rows"),
    entry(INSERT, &[WRITE], ROWS, "adds rows"),
    entry(UPDATE, &[WRITE], ROWS, "changes rows in place"),
    entry(DELETE, &[WRITE], ROWS, "removes rows"),
    entry(MERGE, &[WRITE], ROWS, "runs `MERGE`, whose parts are told as well"),
    entry(TRUNCATE, &[WRITE], ROWS, "empties a relation"),
    entry(COPY, &[], ROWS, "moves rows in bulk"),
    entry(COPY_OUT, &[COPY], ROWS, "streams rows out, beside the `sql:select` that it is"),
    entry(COPY_IN, &[COPY], ROWS, "streams rows in, beside the `sql:insert` that it is"),
    entry(DDL, &[], ANYTHING, "changes what exists"),
    entry(CREATE, &[DDL], ANYTHING, "makes an object"),
    entry(ALTER, &[DDL], ANYTHING, "changes an object"),
    entry(DROP, &[DDL], ANYTHING, "removes an object"),
    entry(ADMIN, &[], ANYTHING, "administers the target"),
    entry(GRANT, &[ADMIN], ANYTHING, "changes who may do what: privileges, roles, owners, row-level policies"),
    entry(MAINTAIN, &[ADMIN], ANYTHING, "vacuum, statistics, indexes, checkpoints, other sessions"),
    entry(SESSION, &[], ANYTHING, "changes or shows the session's own state"),
    entry(
        EXECUTE,
        &[],
        CODE,
        "runs a routine that is not known to be pure, or a text that the statement does not show",
    ),
    entry(SERVER, &[], ANYTHING, "leaves the database: files, programs, other servers, loaded code"),
    entry(REPLICATION, &[], ANYTHING, "reads the replication stream or steers replication"),
    entry(CANCEL, &[], DATABASE, "cancels what another connection runs"),
    entry(UNKNOWN, &[], DATABASE, "does something that the gate cannot tell"),
];

const RESOURCES: &[ResourceKind] = &[
    ResourceKind { name: "Database", parent: None },
    ResourceKind { name: "Schema", parent: Some("Database") },
    ResourceKind { name: "Table", parent: Some("Schema") },
    ResourceKind { name: "Routine", parent: Some("Schema") },
    ResourceKind { name: "Role", parent: Some("Database") },
    ResourceKind { name: "Setting", parent: Some("Database") },
];

const fn fact(name: &'static str, kind: FactType, meaning: &'static str) -> FactEntry {
    FactEntry { name, kind, meaning }
}

const FACTS: &[FactEntry] = &[
    fact(
        "unfiltered",
        FactType::Bool,
        "a write has no condition, or one that may hold for every row whatever the rows hold",
    ),
    fact("opaque", FactType::Bool, "the statement runs text or code that the gate does not see"),
    fact(
        "functions",
        FactType::Texts,
        "functions of the statement that are not known to be pure, as `name` or `schema.name`",
    ),
    fact("columns", FactType::Texts, "columns of the table that the statement names; `*` means all"),
    fact(PROBES, FactType::Texts, "tags of the columns that decide which rows are read or written, or in which order"),
    fact(CARRIES, FactType::Texts, "tags of values that are stored, or may be, where no rule gives them these tags"),
    fact("locks", FactType::Bool, "the rows read are locked"),
    fact("user", FactType::Text, "the user that a connection asks for"),
    fact("database", FactType::Text, "the database that a connection asks for"),
    fact("replication", FactType::Bool, "the connection asks for the replication protocol"),
    fact("options", FactType::Texts, "settings that a connection asks for, as `name=value`"),
    fact("tls", FactType::Bool, "the client's connection is encrypted"),
];

/// The SQL family. A fact that an effect does not state has its type's empty value.
pub const VOCABULARY: Vocabulary = Vocabulary { family: "sql", actions: ACTIONS, resources: RESOURCES, facts: FACTS };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wider_action_applies_to_all_that_its_parts_apply_to() {
        for entry in VOCABULARY.actions {
            for wider in entry.within {
                let wider = VOCABULARY.actions.iter().find(|other| other.action == *wider).unwrap();
                assert!(entry.applies_to.iter().all(|kind| wider.applies_to.contains(kind)), "{}", entry.action);
            }
        }
    }

    #[test]
    fn every_action_is_of_the_family_and_listed_once() {
        for entry in VOCABULARY.actions {
            assert!(entry.action.name().starts_with("sql:"));
            assert_eq!(VOCABULARY.actions.iter().filter(|other| other.action == entry.action).count(), 1);
        }
    }
}
