//! What is known of PostgreSQL's own functions: what their values are computed from, and which
//! columns they give in FROM.
//!
//! The list of those that compute from their arguments alone is that of the functions that are pure,
//! without those that look at what someone has set or stored. What is on no list may give anything.
//! Functions that describe the catalogue are on it: they tell of names, types and sizes.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::super::effects::functions::{Judgement, judge};

/// What a function's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// It is computed from the arguments, and from nothing that is stored in columns.
    FromArguments,
    /// How many arguments there were.
    TheNumber,
    /// Which type the argument has, or where something is of that type: nothing of its value.
    TheType,
    /// A setting of the session.
    ASetting,
    /// It may be anything.
    Anything,
}

/// The columns that a function gives in FROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One, which goes by the function's name or alias.
    Value,
    /// These.
    Columns(&'static [&'static str]),
    /// It depends on the arguments' types.
    Row,
}

/// Pure functions that give what was put somewhere before: by `set_config`, `setval`, `PREPARE`,
/// `DECLARE`.
const LOOK_ELSEWHERE: &[&str] = &[
    "currval",
    "lastval",
    "pg_cursor",
    "pg_get_publication_tables",
    "pg_listening_channels",
    "pg_prepared_statement",
    "pg_sequence_last_value",
    "pg_show_all_settings",
];

/// Functions that are not pure but give only what they are given, or a word of their own.
const GIVE_THEIR_ARGUMENTS: &[&str] = &[
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_cancel_backend",
    "pg_notify",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_terminate_backend",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "set_config",
    "setseed",
    "setval",
];

/// Functions that put an argument where it outlives the statement, and where.
const HAND_ON: &[(&str, &str)] = &[
    ("lo_from_bytea", "a large object"),
    ("lo_put", "a large object"),
    ("lowrite", "a large object"),
    ("pg_logical_emit_message", "the replication stream"),
    ("pg_notify", "a notification"),
    ("set_config", "a setting"),
    ("setval", "a sequence"),
];

/// Functions that give several columns, or one that goes by a name of its own: in `pg_catalog` of
/// PostgreSQL 15 to 18, by their OUT parameters.
const COLUMNS: &[(&str, &[&str])] = &[
    ("aclexplode", &["grantor", "grantee", "privilege_type", "is_grantable"]),
    ("json_array_elements", &["value"]),
    ("json_array_elements_text", &["value"]),
    ("json_each", &["key", "value"]),
    ("json_each_text", &["key", "value"]),
    ("jsonb_array_elements", &["value"]),
    ("jsonb_array_elements_text", &["value"]),
    ("jsonb_each", &["key", "value"]),
    ("jsonb_each_text", &["key", "value"]),
    ("pg_get_keywords", &["word", "catcode", "barelabel", "catdesc", "baredesc"]),
    ("pg_options_to_table", &["option_name", "option_value"]),
    ("pg_partition_ancestors", &["relid"]),
    ("pg_partition_tree", &["relid", "parentrelid", "isleaf", "level"]),
    ("pg_timezone_names", &["name", "abbrev", "utc_offset", "is_dst"]),
    ("ts_parse", &["tokid", "token"]),
    ("ts_token_type", &["tokid", "alias", "description"]),
];

/// Further functions of which a call's width in FROM is not known: those of several columns, and
/// those whose type is that of an argument, which may be a row.
const ROWS: &[&str] = &[
    "any_value",
    "array_agg",
    "first_value",
    "json_populate_record",
    "json_populate_recordset",
    "json_to_record",
    "json_to_recordset",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "jsonb_to_record",
    "jsonb_to_recordset",
    "lag",
    "last_value",
    "lead",
    "lower",
    "max",
    "min",
    "mode",
    "nth_value",
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_get_catalog_foreign_keys",
    "pg_get_object_address",
    "pg_identify_object",
    "pg_identify_object_as_address",
    "pg_input_error_info",
    "pg_lock_status",
    "pg_sequence_parameters",
    "pg_timezone_abbrevs",
    "percentile_disc",
    "ts_debug",
    "unnest",
    "upper",
];

/// Settings that hold a number, a word of a fixed list, or what the target was built with: nothing
/// that a value could be put into.
const PLAIN_SETTINGS: &[&str] = &[
    "block_size",
    "bytea_output",
    "client_encoding",
    "data_checksums",
    "datestyle",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "intervalstyle",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "lock_timeout",
    "max_connections",
    "max_identifier_length",
    "max_index_keys",
    "server_encoding",
    "server_version",
    "server_version_num",
    "standard_conforming_strings",
    "statement_timeout",
    "transaction_isolation",
    "transaction_read_only",
    "wal_level",
];

/// What a function of PostgreSQL's own gives.
pub(super) fn gives(name: &str) -> Gives {
    match name {
        "count" => Gives::TheNumber,
        "pg_typeof" => Gives::TheType,
        "current_setting" => Gives::ASetting,
        _ if GIVE_THEIR_ARGUMENTS.contains(&name) => Gives::FromArguments,
        _ if LOOK_ELSEWHERE.contains(&name) => Gives::Anything,
        _ if judge(&[name]) == Judgement::Pure => Gives::FromArguments,
        _ => Gives::Anything,
    }
}

/// Whether a setting can hold nothing that was computed.
pub(super) fn is_plain_setting(name: &str) -> bool {
    PLAIN_SETTINGS.iter().any(|plain| plain.eq_ignore_ascii_case(name))
}

/// Where a function puts what it is given, if it outlives the statement there.
pub(super) fn hands_on(name: &str) -> Option<&'static str> {
    HAND_ON.iter().find(|(function, _)| *function == name).map(|(_, where_to)| *where_to)
}

/// The columns that a function of PostgreSQL's own gives in FROM.
pub(super) fn shape(name: &str) -> Shape {
    static KNOWN: LazyLock<HashMap<&'static str, &'static [&'static str]>> =
        LazyLock::new(|| COLUMNS.iter().copied().collect());
    let by_type = ["array_", "enum_", "range_", "multirange"].iter().any(|beginning| name.starts_with(beginning));
    match KNOWN.get(name) {
        Some(columns) => Shape::Columns(columns),
        None if by_type || ROWS.contains(&name) || gives(name) == Gives::Anything => Shape::Row,
        None => Shape::Value,
    }
}
