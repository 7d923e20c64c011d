//! The command as its users meet it: the real binary, its output and its exit codes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on says so by ending"
)]

mod check;
mod gate;
mod help;
mod policy;
mod recordings;
mod serve;
mod walk;
