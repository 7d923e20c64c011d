//! PostgreSQL through the gate.

mod killed;
mod same_as_direct;
mod tour;
