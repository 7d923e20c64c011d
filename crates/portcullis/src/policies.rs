//! The gate's policies and how it is, as the control plane reads them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use portcullis_control::ask::rfc3339;
use portcullis_control::authority::Labels;
use portcullis_control::policies::{
    Asked, Bundle, Changed, Deciding, Explained, Needed, Policies, PolicyFile, Problem, Replay, Replayed, ShownPolicy,
    Tried,
};
use portcullis_control::vitals::{Part, PartState, ShownTarget, TargetHealth, Vitals};
use portcullis_core::clock::unix_micros;
use portcullis_runtime::policy::{self, CedarPolicy, PolicyError};
use portcullis_runtime::server::vitals;
use serde_json::json;

fn time(time: SystemTime) -> String {
    rfc3339(unix_micros(time))
}

/// The policies of a gate.
pub(crate) struct GatePolicies {
    pub(crate) policies: Arc<CedarPolicy>,
    pub(crate) labels: Arc<HashMap<String, Labels>>,
}

impl Policies for GatePolicies {
    fn bundle(&self) -> Bundle {
        let shown = self.policies.shown();
        let files = shown.files.into_iter().map(|file| PolicyFile { name: file.name, text: file.text });
        let policies = shown.policies.into_iter().map(|policy| ShownPolicy {
            id: policy.id,
            file: policy.file,
            line: policy.line,
            effect: policy.effect.to_owned(),
            annotations: policy.annotations,
            text: policy.text,
        });
        Bundle {
            revision: shown.revision.to_string(),
            loaded_at: time(shown.loaded),
            files: files.collect(),
            policies: policies.collect(),
        }
    }

    fn try_out(&self, files: Vec<PolicyFile>) -> Result<Box<dyn Tried>, Vec<Problem>> {
        let files = files.into_iter().map(|file| policy::PolicyFile { name: file.name, text: file.text });
        let tried = self.policies.tried(&files.collect::<Vec<_>>());
        let policies = tried.map_err(|errors| errors.0.into_iter().map(problem).collect::<Vec<_>>())?;
        Ok(Box::new(TriedPolicies { policies, labels: Arc::clone(&self.labels) }))
    }

    fn explain(&self, asked: Asked) -> Result<Explained, String> {
        let labels: HashMap<_, _> = self.labels.get(&asked.target).into_iter().flatten().cloned().collect();
        let question = json!({
            "who": asked.identity,
            "target": asked.target,
            "labels": labels,
            "recorded": [{ "action": asked.action, "resource": { "kind": "", "path": asked.resource }, "facts": asked.facts }],
        });
        let question = serde_json::from_value(question).map_err(|why| why.to_string())?;
        let explanation = self.policies.explain_asked(&question)?;
        let reasons: HashMap<_, _> =
            self.policies.shown().policies.into_iter().map(|policy| (policy.id.clone(), policy)).collect();
        let deciding = explanation.policies.iter().filter_map(|id| reasons.get(id)).map(|policy| Deciding {
            id: policy.id.clone(),
            file: policy.file.clone(),
            line: policy.line,
            effect: policy.effect.to_owned(),
            reason: policy.annotations.get("reason").cloned().unwrap_or_default(),
        });
        Ok(Explained {
            decision: explanation.decision.to_owned(),
            policies: deciding.collect(),
            reason: explanation.reason,
            ask: explanation.terms.map(|terms| Needed {
                groups: terms.groups,
                quorum: terms.quorum,
                ttl_s: terms.ttl.as_secs(),
            }),
        })
    }
}

fn problem(error: PolicyError) -> Problem {
    let (line, column) = error.place.unzip();
    let help = error.help.map_or_else(String::new, |help| format!(" ({help})"));
    Problem { file: error.file, line, column, message: format!("{}{help}", error.message) }
}

struct TriedPolicies {
    policies: CedarPolicy,
    labels: Arc<HashMap<String, Labels>>,
}

impl Tried for TriedPolicies {
    fn replay(&self) -> Box<dyn Replay + '_> {
        Box::new(OneSession(policy::Replay::new(&self.policies, &self.labels)))
    }
}

struct OneSession<'p>(policy::Replay<'p>);

impl Replay for OneSession<'_> {
    fn take(&mut self, session: &str, at: u64, json: &str) -> Replayed {
        match self.0.take(at, json) {
            policy::Replayed::Nothing => Replayed::Nothing,
            policy::Replayed::Same => Replayed::Same,
            policy::Replayed::Changed(changed) => Replayed::Changed(Box::new(shown(session, *changed))),
        }
    }
}

/// A change, as it is shown.
pub(crate) fn shown(session: &str, changed: policy::Changed) -> Changed {
    Changed {
        session: session.to_owned(),
        op: changed.op,
        at: rfc3339(changed.at),
        statement: changed.statement,
        was: changed.was,
        now: changed.now.to_owned(),
        policies: changed.policies,
        reason: changed.reason,
    }
}

/// How a gate is.
pub(crate) struct GateVitals(pub(crate) Arc<vitals::Vitals>);

impl Vitals for GateVitals {
    fn targets(&self) -> Vec<ShownTarget> {
        let targets = self.0.targets().into_iter().map(|target| ShownTarget {
            name: target.name,
            protocol: target.protocol.to_owned(),
            listen: target.listen.to_string(),
            address: target.address,
            labels: target.labels,
            health: TargetHealth {
                state: String::from(match (target.pulse.at, &target.pulse.failure) {
                    (None, _) => "unknown",
                    (Some(_), None) => "up",
                    (Some(_), Some(_)) => "down",
                }),
                checked_at: target.pulse.at.map(time),
                detail: target.pulse.failure.unwrap_or_default(),
            },
            live_sessions: 0,
        });
        targets.collect()
    }

    fn parts(&self) -> Vec<Part> {
        let parts = self.0.parts().into_iter().map(|part| Part {
            name: part.name,
            state: match part.state {
                vitals::State::Good => PartState::Ok,
                vitals::State::Degraded => PartState::Degraded,
                vitals::State::Failed => PartState::Failed,
            },
            detail: part.detail,
        });
        parts.collect()
    }

    fn uptime(&self) -> u64 {
        self.0.uptime().as_secs()
    }
}
