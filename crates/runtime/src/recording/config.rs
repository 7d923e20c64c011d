//! The `[recording]` table of the configuration, and what a target may change of it.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::duration;

/// The shortest time between two checkpoints.
const SHORTEST_CHECKPOINT: Duration = Duration::from_millis(10);
/// The smallest segment, in bytes.
const SMALLEST_SEGMENT: u32 = 4 << 10;
/// The largest segment, in bytes: what a reader must be able to hold.
const LARGEST_SEGMENT: u32 = 16 << 20;
/// The most bytes of an operation's results.
const LARGEST_RESULT: u32 = 1 << 20;
/// The longest name of a gate, in bytes.
pub(super) const LONGEST_GATE: usize = 63;

/// Where and how sessions are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of the recordings. One gate writes to it at a time; it is made if it is missing.
    pub dir: PathBuf,
    /// The gate's name: the first part of every session's id. Give each gate its own.
    pub gate: String,
    /// What an operation's record survives before the operation is forwarded.
    pub durability: Durability,
    /// Lets operations pass when they cannot be recorded. The recording then has a marked gap, and
    /// a metric counts what is missing. A target may say otherwise.
    pub best_effort: bool,
    /// The most bytes that the folder may hold. At this size, new sessions and operations are
    /// refused; what already runs is still recorded to its end.
    pub max_bytes: u64,
    /// The bytes that must stay free on the file system of the folder. Below this, new sessions
    /// and operations are refused.
    pub min_free_bytes: u64,
    /// How often what is new is sealed, signed and brought to disk.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub checkpoint_every: Duration,
    /// The bytes of a session's events that are sealed together, before compression. A session
    /// that writes more than this between two checkpoints is sealed sooner.
    pub segment_bytes: u32,
    /// The bytes of the results of one operation that are recorded, as its client sees them. None where
    /// nothing is said: nobody finds values in recordings who did not ask for them. A target may say
    /// otherwise.
    pub result_bytes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("recordings"),
            gate: String::from("gate"),
            durability: Durability::Kernel,
            best_effort: false,
            max_bytes: 64 << 30,
            min_free_bytes: 256 << 20,
            checkpoint_every: Duration::from_secs(2),
            segment_bytes: 1 << 20,
            result_bytes: 0,
        }
    }
}

/// What an operation's record survives before the operation is forwarded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The death of the gate's process. The next checkpoint brings it to disk.
    #[default]
    Kernel,
    /// The death of the machine: every operation waits for the disk.
    Disk,
}

/// How one target's sessions are recorded where that differs from the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetRecording {
    /// Whether operations of this target may pass when they cannot be recorded.
    pub best_effort: Option<bool>,
    /// The bytes of the results of one operation that are recorded.
    pub result_bytes: Option<u32>,
}

impl Config {
    /// Says what cannot be used, without touching the disk.
    pub fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if self.gate.is_empty() || self.gate.len() > LONGEST_GATE || !self.gate.chars().all(plain) {
            return Err(String::from("`gate` has 1 to 63 of `a` to `z`, `0` to `9`, `-`, `_` and `.`"));
        }
        if self.checkpoint_every < SHORTEST_CHECKPOINT {
            return Err(String::from("`checkpoint_every` is at least `10ms`"));
        }
        if !(SMALLEST_SEGMENT..=LARGEST_SEGMENT).contains(&self.segment_bytes) {
            return Err(String::from("`segment_bytes` is from 4096 (4 KiB) to 16777216 (16 MiB)"));
        }
        if self.result_bytes > LARGEST_RESULT {
            return Err(String::from("`result_bytes` is at most 1048576 (1 MiB)"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_usable_and_nonsense_is_not() {
        type Change = fn(&mut Config);
        let cases: [(Change, bool); 7] = [
            (|_| {}, true),
            (|config| config.gate = String::new(), false),
            (|config| config.gate = String::from("Gate 1"), false),
            (|config| config.gate = "g".repeat(64), false),
            (|config| config.checkpoint_every = Duration::ZERO, false),
            (|config| config.segment_bytes = 0, false),
            (|config| config.result_bytes = u32::MAX, false),
        ];
        for (index, (change, good)) in cases.into_iter().enumerate() {
            let mut config = Config::default();
            change(&mut config);
            assert_eq!(config.check().is_ok(), good, "case {index}");
        }
    }
}
