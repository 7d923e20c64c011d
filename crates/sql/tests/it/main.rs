//! What the analyzer says of texts, against expectations written by hand and PostgreSQL's own
//! scanner.

mod arbitrary;
mod cache;
mod effects;
mod lineage;
mod scanner;
mod session;
mod targets;
