//! The SSH protocol against scripted and real clients and targets.
#![expect(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "scripts of the tests' own")]

mod commands;
mod conformance;
mod real;
mod scripted;
mod stage;
