//! The recording spool, as a running gate holds it: opened before the first session, closed after
//! the last, and shown in the metrics.

use std::sync::Arc;

use portcullis_core::clock::SystemClock;
use portcullis_core::recording::Recorder;

use super::RunError;
use crate::recording::{Config, Spool, SpoolHealth, TargetRecording};
use crate::telemetry::Metrics;

/// An open spool.
pub(super) struct Journal(Spool);

/// A figure of the spool.
type Read = fn(&SpoolHealth) -> u64;

const COUNTERS: [(&str, &str, Read); 7] = [
    ("portcullis_recorder_failures_total", "Writes, seals and checkpoints that failed.", SpoolHealth::failures),
    ("portcullis_recorder_missed_events_total", "Events that are missing from recordings.", SpoolHealth::missed_events),
    ("portcullis_recorder_gaps_total", "Gaps that were marked in recordings.", SpoolHealth::gaps),
    ("portcullis_recorder_segments_total", "Segments that were sealed.", SpoolHealth::segments),
    ("portcullis_recorder_checkpoints_total", "Checkpoints that were signed.", SpoolHealth::checkpoints),
    ("portcullis_recorder_recovered_total", "Recordings that were sealed after a gate died.", SpoolHealth::recovered),
    (
        "portcullis_recorder_quarantined_total",
        "Recordings that were found changed or damaged at start.",
        SpoolHealth::quarantined,
    ),
];

const GAUGES: [(&str, &str, Read); 2] = [
    ("portcullis_recorder_spool_bytes", "Bytes in the folder of recordings.", SpoolHealth::bytes),
    ("portcullis_recorder_lag_milliseconds", "How long the oldest event that is not signed has waited.", lag),
];

fn lag(health: &SpoolHealth) -> u64 {
    u64::try_from(health.seal_lag().as_millis()).unwrap_or(u64::MAX)
}

impl Journal {
    /// Opens the spool, which seals what a gate that died left behind.
    pub(super) fn open(config: &Config, metrics: &Metrics) -> Result<Self, RunError> {
        let spool = Spool::open(config, Arc::new(SystemClock)).map_err(RunError::Recorder)?;
        let health = spool.health();
        if health.quarantined() > 0 {
            tracing::error!(
                recordings = health.quarantined(),
                "recordings were changed or damaged; they are left as they are, `portcullis verify` names them"
            );
        }
        if health.recovered() > 0 {
            tracing::warn!(recordings = health.recovered(), "recordings of a gate that died were sealed");
        }
        show(metrics, &health).map_err(|why| RunError::Process(format!("metrics cannot be registered: {why}")))?;
        Ok(Self(spool))
    }

    /// The recorder of one target's sessions.
    pub(super) fn recorder(&self, target: TargetRecording) -> Arc<dyn Recorder> {
        self.0.recorder(target)
    }

    /// How the spool is.
    pub(super) fn health(&self) -> Arc<SpoolHealth> {
        self.0.health()
    }

    /// Seals and signs everything. It waits for the disk.
    pub(super) fn close(&self) {
        if let Err(why) = self.0.close() {
            tracing::error!(error = %why, "the recordings could not be closed; the next start seals them");
        }
    }
}

fn show(metrics: &Metrics, health: &Arc<SpoolHealth>) -> Result<(), prometheus::Error> {
    for (name, help, read) in COUNTERS {
        let health = Arc::clone(health);
        metrics.read_counter(name, help, &[], move || read(&health))?;
    }
    for (name, help, read) in GAUGES {
        let health = Arc::clone(health);
        metrics.read_gauge(name, help, &[], move || read(&health))?;
    }
    Ok(())
}
