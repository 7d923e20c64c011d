//! What is known of PostgreSQL's own functions: which are pure, and which reach further than rows.
//!
//! A name alone is judged: whoever can make functions and put a schema before `pg_catalog` in the
//! search path can give a known name another meaning. Functions that are not known are `Foreign`.

use std::collections::HashSet;
use std::sync::LazyLock;

/// What calling a function may do beyond giving a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Nothing that matters: it computes, looks at the catalogue, or draws a number.
    Pure,
    /// Not known.
    Foreign,
    /// Runs a text that it is given, or reads whatever relation it is told to.
    RunsText,
    /// Reaches files or programs of the target's host, or other servers.
    Server,
    /// Does both of the former.
    ServerText,
    /// Acts on the running target or on other sessions.
    Maintains,
    /// Reads the replication stream or steers replication.
    Replicates,
    /// Changes a setting.
    Sets,
}

/// Names of functions that are pure, as a text of words. After PostgreSQL's own catalogue: not
/// volatile, not internal, and none of those below.
const PURE: &str = include_str!("pure.txt");

const RUNS_TEXT: &[&str] = &[
    "connectby",
    "crosstab",
    "crosstab2",
    "crosstab3",
    "crosstab4",
    "crosstabn",
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
    "xpath_table",
];

const SERVER: &[&str] = &[
    "be_lo_export",
    "be_lo_import",
    "lo_export",
    "lo_import",
    "pg_config",
    "pg_current_logfile",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_show_all_file_settings",
    "pg_stat_file",
    "pg_relation_filepath",
    "pg_logdir_ls",
];

const MAINTAINS: &[&str] = &[
    "pg_backup_start",
    "pg_backup_stop",
    "pg_cancel_backend",
    "pg_create_restore_point",
    "pg_import_system_collations",
    "pg_log_backend_memory_contexts",
    "pg_log_standby_snapshot",
    "pg_promote",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_start_backup",
    "pg_stop_backup",
    "pg_switch_wal",
    "pg_terminate_backend",
    "pg_wal_replay_pause",
    "pg_wal_replay_resume",
    "brin_summarize_new_values",
    "brin_summarize_range",
    "brin_desummarize_range",
    "gin_clean_pending_list",
];

/// Beginnings of names, and what all functions that begin so may do.
const FAMILIES: &[(&str, Judgement)] = &[
    ("dblink", Judgement::ServerText),
    ("pg_read_", Judgement::Server),
    ("pg_ls_", Judgement::Server),
    ("pg_file_", Judgement::Server),
    ("postgres_fdw_", Judgement::Server),
    ("pg_logical_", Judgement::Replicates),
    ("pg_replication_", Judgement::Replicates),
    ("pg_create_logical_", Judgement::Replicates),
    ("pg_create_physical_", Judgement::Replicates),
    ("pg_copy_logical_", Judgement::Replicates),
    ("pg_copy_physical_", Judgement::Replicates),
    ("pg_drop_replication", Judgement::Replicates),
    ("pg_sync_replication", Judgement::Replicates),
    ("pg_stat_reset", Judgement::Maintains),
    ("pg_restore_", Judgement::Maintains),
    ("pg_clear_", Judgement::Maintains),
];

/// PostgreSQL's own functions, and those of its extensions, that are not pure and can be called with
/// one argument that is no row. So they can be called as if they were columns of it:
/// `('/etc/passwd'::text).pg_read_file`.
const AS_COLUMNS: &str = include_str!("as_columns.txt");

/// Judges what stands as a column's name behind something that may be no row; `None` where it is one
/// for all that a name can tell.
pub(crate) fn judge_column(name: &str) -> Option<Judgement> {
    static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| AS_COLUMNS.split_whitespace().collect());
    KNOWN.contains(name).then(|| judge(&[name]))
}

/// Judges a function by its name.
pub(crate) fn judge(parts: &[&str]) -> Judgement {
    static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| PURE.split_whitespace().collect());
    let Some((name, schema)) = parts.split_last() else { return Judgement::Foreign };
    // Extensions live in any schema, so the far-reaching ones count wherever they are.
    match far_reaching(name) {
        Some(judgement) => judgement,
        None if matches!(schema, [] | ["pg_catalog"]) && KNOWN.contains(name) => Judgement::Pure,
        None => Judgement::Foreign,
    }
}

fn far_reaching(name: &str) -> Option<Judgement> {
    if name == "set_config" {
        return Some(Judgement::Sets);
    }
    let lists = [(RUNS_TEXT, Judgement::RunsText), (SERVER, Judgement::Server), (MAINTAINS, Judgement::Maintains)];
    let listed = lists.into_iter().find(|(list, _)| list.contains(&name));
    let family = || FAMILIES.iter().copied().find(|(beginning, _)| name.starts_with(beginning));
    listed.map(|(_, judgement)| judgement).or_else(|| family().map(|(_, judgement)| judgement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pure_function_reaches_further() {
        for name in PURE.split_whitespace() {
            assert_eq!(far_reaching(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_is_pure_only_in_the_catalogue() {
        assert_eq!(judge(&["lower"]), Judgement::Pure);
        assert_eq!(judge(&["pg_catalog", "lower"]), Judgement::Pure);
        assert_eq!(judge(&["public", "lower"]), Judgement::Foreign);
        assert_eq!(judge(&["extensions", "dblink_exec"]), Judgement::ServerText);
    }
}
