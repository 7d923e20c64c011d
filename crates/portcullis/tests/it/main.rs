//! The command as its users meet it: the real binary, its output and its exit codes.

mod check;
mod gate;
mod help;
mod policy;
mod recordings;
mod serve;
mod walk;
