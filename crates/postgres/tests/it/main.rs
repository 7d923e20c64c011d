//! The Postgres protocol against scripted clients and targets.
#![expect(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "scripts of the tests' own")]

mod arena;
mod attacks;
mod conformance;
mod holding;
mod hostile_target;
mod leaks;
mod proven;
mod recorded;
mod scripted_client;
mod scripted_target;
mod stage;
mod startup;
mod statements;
mod touched;
mod transparent;
