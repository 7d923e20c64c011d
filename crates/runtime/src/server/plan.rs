//! Everything that a gate needs before it binds a port: policies, certificates, protocols. Making
//! it finds every mistake that can be found without the network.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::approval::NoApprovals;
use portcullis_core::clock::SystemClock;
use portcullis_core::gate::{Gate, Ports, TargetSpec};
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Proof};
use portcullis_core::masking::Rules;
use portcullis_core::protocol::ServeError;
use portcullis_core::recording::{Opening, RecordError, Recorder, Recording};
use portcullis_core::sessions::Sessions;
use portcullis_core::vocabulary::Vocabulary;

use super::adapters::Adapters;
use super::kind::{Kind, Serving};
use super::{Bound, RunError};
use crate::config::{Config, Problem, Problems, TargetEntry, nearest};
use crate::recording::TargetRecording;
use crate::telemetry::Metrics;
use crate::tls::{ClientLeg, TargetLeg};

/// A gate that could run.
pub struct Plan {
    pub(super) config: Config,
    pub(super) metrics: Arc<Metrics>,
    pub(super) adapters: Adapters,
    pub(super) client_leg: Option<Arc<ClientLeg>>,
    pub(super) targets: Vec<Planned>,
    pub(super) beside: Option<super::beside::Opening>,
}

/// One target that could be served.
pub(super) struct Planned {
    pub(super) spec: Arc<TargetSpec>,
    pub(super) serving: Arc<dyn Serving>,
    pub(super) vocabulary: &'static Vocabulary,
    pub(super) listen: SocketAddr,
    pub(super) address: String,
    pub(super) recording: TargetRecording,
    pub(super) plaintext_login: bool,
}

/// What came of logging in at one target.
#[derive(Debug)]
pub struct Probe {
    /// The target's name.
    pub target: String,
    /// Whether the gate could log in, and why not.
    pub result: Result<(), ServeError>,
}

impl Plan {
    pub(super) fn new(
        config: Config,
        kinds: &[Kind],
        beside: Option<super::beside::Opening>,
    ) -> Result<Self, Problems> {
        let mut problems = config.check();
        let metrics = match Metrics::new() {
            Ok(metrics) => Arc::new(metrics),
            Err(why) => return Err(Problem::elsewhere(format!("metrics cannot be registered: {why}")).into()),
        };
        let client_leg = match config.process.tls.clone().map(ClientLeg::new).transpose() {
            Ok(leg) => leg.map(Arc::new),
            Err(why) => {
                problems.0.push(config.problem("tls", why.to_string()));
                None
            }
        };
        let masking = crate::masking::rules(&config).unwrap_or_else(|mut more| {
            // With these problems there will be no plan; the targets are looked at for theirs.
            problems.0.append(&mut more.0);
            vec![Rules::none(); config.targets.len()]
        });
        let mut targets = Vec::new();
        for (entry, rules) in config.targets.iter().zip(masking) {
            match planned(&config, entry, kinds, rules) {
                Ok(target) => targets.push(target),
                Err(problem) => problems.0.push(problem),
            }
        }
        // All that this build knows, so that a bundle shared between gates is good on each.
        let all = kinds.iter().map(|kind| kind.vocabulary).chain(beside.iter().map(|beside| beside.vocabulary));
        let vocabularies: BTreeMap<_, _> = all.map(|vocabulary| (vocabulary.family, vocabulary)).collect();
        let vocabularies: Vec<_> = vocabularies.into_values().collect();
        match Adapters::new(&config, &vocabularies, &metrics) {
            Ok(adapters) => problems.unless(Self { config, metrics, adapters, client_leg, targets, beside }),
            Err(mut more) => {
                problems.0.append(&mut more.0);
                problems.unless(()).and(Err(more))
            }
        }
    }

    /// Logs in at every target, one after another, and leaves again.
    pub async fn probe(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        for target in &self.targets {
            let gate = Gate::new(nobody(), Arc::clone(&target.spec), IpAddr::V4(Ipv4Addr::LOCALHOST));
            let result = target.serving.probe(gate).await;
            probes.push(Probe { target: target.spec.name.clone(), result });
        }
        probes
    }

    /// Opens the recorder and binds every listener. Nothing is accepted yet.
    pub async fn bind(self) -> Result<Bound, RunError> {
        Bound::new(self).await
    }
}

fn planned(config: &Config, entry: &TargetEntry, kinds: &[Kind], masking: Rules) -> Result<Planned, Problem> {
    let target = &entry.common;
    let at = |key: &str, message: String| config.source.problem(Some(entry.rest.place(key)), message);
    let Some(kind) = kinds.iter().find(|kind| kind.name == target.protocol) else {
        let known: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        let hint = nearest(&target.protocol, known.iter().copied())
            .map_or_else(|| format!("it serves `{}`", known.join("`, `")), |meant| format!("did you mean `{meant}`?"));
        return Err(at("protocol", format!("this gate serves no protocol `{}`; {hint}", target.protocol)));
    };
    if !masking.is_none() && !kind.masks {
        // nothing passes unmasked in silence
        let what = format!(
            "`[masking]` is about this target, and the protocol `{}` does not mask; leave the target out of `masking.targets`",
            kind.name
        );
        return Err(at("protocol", what));
    }
    let connector = TargetLeg::new(target).map_err(|why| at("tls", why.to_string()))?;
    let session = &config.process.session;
    let spec = TargetSpec {
        name: target.name.clone(),
        labels: target.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        protocol: kind.name,
        family: kind.vocabulary.family,
        max_age: session.max_age,
        end_with_token: session.end_with_token,
        masking,
        recorded_results: target.recording.result_bytes.unwrap_or(config.process.recording.result_bytes) as usize,
        connector: Arc::new(connector),
    };
    Ok(Planned {
        spec: Arc::new(spec),
        serving: (kind.make)(&entry.rest, &config.source)?,
        vocabulary: kind.vocabulary,
        listen: target.listen,
        address: target.address.to_string(),
        recording: target.recording,
        plaintext_login: target.plaintext_login,
    })
}

/// The ports of a gate that serves nobody: a probe logs in for itself and asks nothing of them.
pub(super) fn nobody() -> Ports {
    Ports {
        identity: Arc::new(Nobody),
        policy: Arc::new(Nobody),
        approvals: Arc::new(NoApprovals),
        recorder: Arc::new(Nobody),
        clock: Arc::new(SystemClock),
        sessions: Arc::new(Sessions::default()),
    }
}

struct Nobody;

impl IdentitySource for Nobody {
    fn identify<'a>(&'a self, _: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        Box::pin(async { Err(IdentityError::Rejected("a probe has no clients".into())) })
    }
}

impl portcullis_core::policy::Policy for Nobody {
    fn decide(&self, _: &portcullis_core::policy::Question<'_>) -> Arc<portcullis_core::policy::Ruling> {
        Arc::new(portcullis_core::policy::Ruling {
            decision: portcullis_core::policy::Decision::Deny,
            policies: Vec::new(),
            reason: "a probe has no clients".into(),
            revision: Arc::from("none"),
        })
    }
}

impl Recorder for Nobody {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn Recording>, RecordError> {
        Err(RecordError("a probe has no clients".into()))
    }
}
