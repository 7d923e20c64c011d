//! PostgreSQL through the gate.

mod same_as_direct;
mod tour;
