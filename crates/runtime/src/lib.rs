//! Turns protocols into a running gate: configuration, listeners, TLS, drain, telemetry, and the
//! adapters of core's ports, one folder a port. It names no protocol.

pub mod config;
pub mod identity;
pub mod masking;
pub mod policy;
pub mod recording;
pub mod server;
pub mod telemetry;
pub mod tls;
