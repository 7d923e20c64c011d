//! What an operator sees of a running gate: its log, its metrics and its health.
//!
//! Nothing here holds a statement, a token or a value. Metrics are counted by decorators around
//! core's ports, so that neither core nor the adapters know that anybody counts.

mod admin;
mod log;
mod metered;
mod metrics;

pub use admin::{Admin, Health};
pub use log::{LogError, start as start_log};
pub use metered::{MeteredIdentity, MeteredPolicy, MeteredRecorder};
pub use metrics::{Metrics, Refused, TargetMetrics};
