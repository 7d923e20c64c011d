//! The Postgres protocol against scripted clients and targets.
#![expect(clippy::expect_used, reason = "scripts of the tests' own")]

mod conformance;
mod hostile_target;
mod scripted_client;
mod scripted_target;
mod stage;
mod startup;
mod statements;
