//! The port to how the gate and its targets are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the last login at a target came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TargetHealth {
    /// `up`, `down` or `unknown`.
    pub state: String,
    /// When it was tried (RFC 3339).
    pub checked_at: Option<String>,
    /// Why it failed.
    pub detail: String,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShownTarget {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: String,
    /// Where its clients connect.
    pub listen: String,
    /// Where it is.
    pub address: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How it is.
    pub health: TargetHealth,
    /// How many sessions on it are live.
    pub live_sessions: u64,
}

/// How a part of the gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Failed,
}

/// A part of the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: PartState,
    /// What there is to know.
    pub detail: String,
}

/// The port.
pub trait Vitals: Send + Sync {
    /// The targets, in the order of the configuration; their live sessions are not counted.
    fn targets(&self) -> Vec<ShownTarget>;

    /// The gate's parts.
    fn parts(&self) -> Vec<Part>;

    /// How long the gate has been running, in seconds.
    fn uptime(&self) -> u64;
}
