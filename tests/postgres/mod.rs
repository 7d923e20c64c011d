//! PostgreSQL through the gate.

mod approvals;
mod connect;
mod killed;
mod masking;
mod plane;
mod same_as_direct;
mod tour;
