//! PostgreSQL through the gate.

mod approvals;
mod killed;
mod same_as_direct;
mod tour;
