//! Every metric of a gate, with its name, its labels and its meaning.
//!
//! Labels are words of the configuration and the protocols; a client can add none.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt};
use portcullis_core::policy::Decision;
use portcullis_core::recording::Status;
use portcullis_core::vocabulary::{Action, Vocabulary};
use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// Buckets for decisions: a cached one takes a microsecond, an engine's some tens of them.
const DECISION_SECONDS: [f64; 10] =
    [0.000_000_5, 0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.01];

/// A function that brings metrics up to date before they are shown.
type Refresh = Box<dyn Fn() + Send + Sync>;

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    refreshes: Mutex<Vec<Refresh>>,
    sessions_open: IntGaugeVec,
    sessions: IntCounterVec,
    operations: IntCounterVec,
    decision_seconds: HistogramVec,
    outcomes: IntCounterVec,
    rows: IntCounterVec,
    bytes: IntCounterVec,
    masked: IntCounterVec,
    record_failures: IntCounterVec,
    connections_open: IntGauge,
    connections: IntCounter,
    refused: IntCounterVec,
    panics: IntCounter,
    logins: IntCounterVec,
}

/// Why a connection was closed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The gate holds as many as it may.
    Total,
    /// The address holds as many as it may.
    Address,
}

/// The metrics of one target, resolved once, so that counting is an addition.
pub struct TargetMetrics {
    pub(super) sessions_open: IntGauge,
    pub(super) sessions: IntCounter,
    pub(super) decision_seconds: Histogram,
    pub(super) actions: HashMap<Action, PerDecision>,
    pub(super) unknown_action: PerDecision,
    pub(super) completed: IntCounter,
    pub(super) failed: IntCounter,
    pub(super) refused: IntCounter,
    pub(super) aborted: IntCounter,
    pub(super) rows: IntCounter,
    pub(super) bytes: IntCounter,
    pub(super) masked: IntCounter,
    pub(super) record_failures: IntCounter,
}

/// One action's operations by decision.
pub(super) struct PerDecision {
    allow: IntCounter,
    ask: IntCounter,
    deny: IntCounter,
}

impl PerDecision {
    pub(super) const fn of(&self, decision: &Decision) -> &IntCounter {
        match decision {
            Decision::Allow => &self.allow,
            Decision::AskFirst(_) => &self.ask,
            Decision::Deny => &self.deny,
        }
    }
}

impl TargetMetrics {
    pub(super) const fn outcome(&self, status: Status) -> &IntCounter {
        match status {
            Status::Completed => &self.completed,
            Status::Failed => &self.failed,
            Status::Refused => &self.refused,
            Status::Aborted => &self.aborted,
        }
    }
}

impl Metrics {
    /// Registers every metric.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let to = Family(&registry);
        let target = &["protocol", "target"];
        Ok(Self {
            sessions_open: to.gauges("portcullis_sessions_open", "Sessions that are open now.", target)?,
            sessions: to.counters("portcullis_sessions_total", "Sessions that were opened.", target)?,
            operations: to.counters(
                "portcullis_operations_total",
                "Operations that policy decided, by their first effect's action.",
                &["protocol", "target", "action", "decision"],
            )?,
            decision_seconds: to.histograms(
                "portcullis_decision_seconds",
                "How long policy took to decide; one decision in 17 is timed.",
                target,
            )?,
            outcomes: to.counters(
                "portcullis_outcomes_total",
                "Operations that are over, by how they ended.",
                &["protocol", "target", "status"],
            )?,
            rows: to.counters("portcullis_rows_returned_total", "Rows that clients were sent.", target)?,
            bytes: to.counters(
                "portcullis_bytes_returned_total",
                "Bytes of results that clients were sent.",
                target,
            )?,
            masked: to.counters(
                "portcullis_masked_values_total",
                "Values that were masked; one with several tags counts under each.",
                target,
            )?,
            record_failures: to.counters("portcullis_record_failures_total", "Records that failed.", target)?,
            connections_open: to.gauge("portcullis_connections_open", "Client connections that are open now.")?,
            connections: to.counter("portcullis_connections_total", "Client connections that were accepted.")?,
            refused: to.counters(
                "portcullis_connections_refused_total",
                "Client connections that were closed at once, by the limit that they met.",
                &["limit"],
            )?,
            panics: to.counter("portcullis_panics_total", "Sessions that ended because the gate failed.")?,
            logins: to.counters("portcullis_logins_total", "Proofs that were verified, by result.", &["result"])?,
            registry,
            refreshes: Mutex::default(),
        })
    }

    /// The metrics of one target. Every combination exists from the start, so that a rate over one
    /// that has not happened yet is 0 and not missing.
    pub fn target(&self, protocol: &str, target: &str, vocabulary: &Vocabulary) -> Arc<TargetMetrics> {
        let labels = [protocol, target];
        let per = |action: &str| {
            let of = |decision| self.operations.with_label_values(&[protocol, target, action, decision]);
            PerDecision { allow: of("allow"), ask: of("ask-first"), deny: of("deny") }
        };
        let outcome = |status| self.outcomes.with_label_values(&[protocol, target, status]);
        let mut actions = HashMap::with_capacity(vocabulary.actions.len());
        for entry in vocabulary.actions {
            actions.insert(entry.action, per(entry.action.name()));
        }
        Arc::new(TargetMetrics {
            sessions_open: self.sessions_open.with_label_values(&labels),
            sessions: self.sessions.with_label_values(&labels),
            decision_seconds: self.decision_seconds.with_label_values(&labels),
            actions,
            unknown_action: per("unknown"),
            completed: outcome("completed"),
            failed: outcome("failed"),
            refused: outcome("refused"),
            aborted: outcome("aborted"),
            rows: self.rows.with_label_values(&labels),
            bytes: self.bytes.with_label_values(&labels),
            masked: self.masked.with_label_values(&labels),
            record_failures: self.record_failures.with_label_values(&labels),
        })
    }

    /// Counts a connection that is accepted, and the one that is over.
    pub fn connection_opened(&self) {
        self.connections.inc();
        self.connections_open.inc();
    }

    /// Counts a connection that is over.
    pub fn connection_closed(&self) {
        self.connections_open.dec();
    }

    /// Counts a connection that was closed at once.
    pub fn connection_refused(&self, why: Refused) {
        let limit = match why {
            Refused::Total => "total",
            Refused::Address => "address",
        };
        self.refused.with_label_values(&[limit]).inc();
    }

    /// Counts a session that ended because the gate failed.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    pub(super) fn login(&self, result: &str) -> IntCounter {
        self.logins.with_label_values(&[result])
    }

    /// Adds a gauge whose value is read when metrics are shown.
    pub fn read_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let gauge = Family(&self.registry).add(IntGauge::with_opts(opts(name, help, labels)))?;
        self.refresh(move || gauge.set(i64::try_from(read()).unwrap_or(i64::MAX)));
        Ok(())
    }

    /// Adds a counter whose value is read when metrics are shown.
    pub fn read_counter(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let counter = Family(&self.registry).add(IntCounter::with_opts(opts(name, help, labels)))?;
        self.refresh(move || counter.inc_by(read().saturating_sub(counter.get())));
        Ok(())
    }

    /// Adds a gauge that is 1 for the one value that a label has now.
    pub fn read_label(
        &self,
        name: &str,
        help: &str,
        label: &str,
        read: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<(), prometheus::Error> {
        let gauges = Family(&self.registry).gauges(name, help, &[label])?;
        self.refresh(move || {
            gauges.reset();
            gauges.with_label_values(&[read()]).set(1);
        });
        Ok(())
    }

    fn refresh(&self, refresh: impl Fn() + Send + Sync + 'static) {
        self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(refresh));
    }

    /// Everything, in Prometheus's text format.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        for refresh in self.refreshes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            refresh();
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn opts(name: &str, help: &str, labels: &[(&str, &str)]) -> Opts {
    labels.iter().fold(Opts::new(name, help), |opts, (key, value)| opts.const_label(*key, *value))
}

/// Makes a metric and registers it.
struct Family<'r>(&'r Registry);

impl Family<'_> {
    fn add<C: Collector + Clone + 'static>(&self, made: Result<C, prometheus::Error>) -> Result<C, prometheus::Error> {
        let metric = made?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::new(name, help))
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
        let opts = HistogramOpts::new(name, help).buckets(DECISION_SECONDS.to_vec());
        self.add(HistogramVec::new(opts, labels))
    }
}
