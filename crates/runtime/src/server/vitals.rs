//! How the gate and its targets are, for whoever looks after them. Targets are logged in to now and then, as
//! a probe does; nothing here decides about any client.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::gate::{Gate, TargetSpec};

use super::kind::Serving;
use super::plan::{Planned, nobody};
use crate::identity::Oidc;
use crate::policy::CedarPolicy;
use crate::recording::SpoolHealth;

/// How often each target is logged in to, and how long that may take.
const EVERY: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest detail that is kept, in characters.
const MAX_DETAIL: usize = 300;

/// How many events may wait to be signed, in time, before somebody should look.
const LATE: Duration = Duration::from_secs(60);

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Failed,
}

/// A part of the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// What there is to know; empty where there is nothing.
    pub detail: String,
}

/// What the last login at a target came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pulse {
    /// When it was tried; `None` before the first time.
    pub at: Option<SystemTime>,
    /// Why it failed; `None` where it did not.
    pub failure: Option<String>,
}

/// A target.
#[derive(Debug, Clone)]
pub struct TargetVitals {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: &'static str,
    /// Where its clients connect.
    pub listen: SocketAddr,
    /// Where it is.
    pub address: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What the last login came to.
    pub pulse: Pulse,
}

/// Looks at everything.
pub struct Vitals {
    started: Instant,
    policy: Arc<CedarPolicy>,
    issuers: Arc<Oidc>,
    spool: Arc<SpoolHealth>,
    targets: Vec<Patient>,
}

struct Patient {
    spec: Arc<TargetSpec>,
    serving: Arc<dyn Serving>,
    listen: SocketAddr,
    address: String,
    pulse: Mutex<Pulse>,
}

impl Vitals {
    pub(super) fn new(
        policy: Arc<CedarPolicy>,
        issuers: Arc<Oidc>,
        spool: Arc<SpoolHealth>,
        targets: &[Planned],
    ) -> Self {
        let patient = |target: &Planned| Patient {
            spec: Arc::clone(&target.spec),
            serving: Arc::clone(&target.serving),
            listen: target.listen,
            address: target.address.clone(),
            pulse: Mutex::default(),
        };
        let targets = targets.iter().map(patient).collect();
        Self { started: Instant::now(), policy, issuers, spool, targets }
    }

    /// How long the gate has been running.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The targets, in the order of the configuration.
    pub fn targets(&self) -> Vec<TargetVitals> {
        let seen = |target: &Patient| TargetVitals {
            name: target.spec.name.clone(),
            protocol: target.spec.protocol,
            listen: target.listen,
            address: target.address.clone(),
            labels: target.spec.labels.iter().cloned().collect(),
            pulse: target.pulse.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        self.targets.iter().map(seen).collect()
    }

    /// The gate's own parts.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = vec![self.recorder(), self.policies()];
        parts.extend(self.issuers.health().into_iter().map(|issuer| {
            let (state, detail) = match (issuer.fresh, issuer.keys) {
                (true, _) => (State::Good, String::new()),
                (false, 0) => (State::Failed, String::from("its keys could not be fetched: nobody can log in by it")),
                (false, _) => (State::Degraded, String::from("its keys could not be refreshed; those before are used")),
            };
            Part { name: format!("issuer {}", issuer.name), state, detail }
        }));
        parts
    }

    fn recorder(&self) -> Part {
        let (lag, missed, quarantined) = (self.spool.seal_lag(), self.spool.missed_events(), self.spool.quarantined());
        let (state, detail) = if lag > LATE {
            let detail = format!("events have waited for {} s to be signed: is the disk full?", lag.as_secs());
            (State::Failed, detail)
        } else if missed > 0 {
            (State::Degraded, format!("{missed} events are missing from recordings since the start"))
        } else if quarantined > 0 {
            (State::Degraded, format!("{quarantined} recordings were found changed or damaged at the start"))
        } else {
            (State::Good, format!("{} recordings are open", self.spool.sessions_open()))
        };
        Part { name: String::from("recorder"), state, detail }
    }

    fn policies(&self) -> Part {
        let health = self.policy.health();
        let (state, detail) = match health.failing {
            None => (State::Good, format!("revision {}", health.revision)),
            Some(errors) => {
                let first = errors.0.first().map(ToString::to_string).unwrap_or_default();
                (
                    State::Degraded,
                    format!("the folder's policies cannot be used, revision {} stays: {first}", health.revision),
                )
            }
        };
        Part { name: String::from("policies"), state, detail }
    }

    /// Logs in at each target now and then. It ends when it is dropped.
    pub(super) async fn watch(&self) {
        futures::future::join_all(self.targets.iter().enumerate().map(|(at, target)| async move {
            // Spread, so that many targets are not all logged in to at once.
            tokio::time::sleep(Duration::from_millis(100).saturating_mul(u32::try_from(at).unwrap_or(u32::MAX))).await;
            loop {
                target.look().await;
                tokio::time::sleep(EVERY).await;
            }
        }))
        .await;
    }
}

impl Patient {
    async fn look(&self) {
        let gate = Gate::new(nobody(), Arc::clone(&self.spec), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let probed = tokio::time::timeout(PATIENCE, self.serving.probe(gate)).await;
        let failure = match probed {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(super::listener::chain(&why).chars().take(MAX_DETAIL).collect()),
            Err(_) => Some(format!("it did not answer within {} s", PATIENCE.as_secs())),
        };
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_some() && pulse.failure.is_none() {
            tracing::warn!(target = %self.spec.name, error = failure.as_deref(), "a target cannot be logged in to");
        }
        *pulse = Pulse { at: Some(SystemTime::now()), failure };
    }
}
