//! What the analyzer says of texts, against expectations written by hand and PostgreSQL's own
//! scanner.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests' own tables and scripts")]

mod arbitrary;
mod cache;
mod effects;
mod lineage;
mod random;
mod scanner;
mod session;
mod targets;
mod traced;
