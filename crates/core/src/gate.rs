//! The pipeline: identify, decide, dial. It joins the ports; each stage yields what the next needs.
//!
//! It knows no protocol. Every failure of a port refuses.

mod pending;
mod session;
mod shared;
mod views;

use std::sync::Arc;
use std::time::Duration;

pub use pending::Pending;
pub use session::{Answer, Part, Parted, Session};
pub(crate) use shared::Shared;

use crate::approval::Approvals;
use crate::clock::{Clock, unix_micros};
use crate::identity::{IdentityError, IdentitySource, Proof};
use crate::masking::Rules;
use crate::policy::{Policy, Subject};
use crate::recording::{Opening, Recorder};
use crate::refusal::{Refusal, Unidentified};
use crate::sessions::{Ending, Sessions, deadline};
use crate::stream::Connector;

/// The ports of one process, behind which the adapters are.
#[derive(Clone)]
pub struct Ports {
    /// Verifies proofs.
    pub identity: Arc<dyn IdentitySource>,
    /// Decides.
    pub policy: Arc<dyn Policy>,
    /// Asks humans.
    pub approvals: Arc<dyn Approvals>,
    /// Records.
    pub recorder: Arc<dyn Recorder>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The live sessions.
    pub sessions: Arc<Sessions>,
}

/// One target, as far as the pipeline needs to know it.
#[derive(Clone)]
pub struct TargetSpec {
    /// Its configured name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// The protocol's name.
    pub protocol: &'static str,
    /// The vocabulary's family.
    pub family: &'static str,
    /// How long a session may last.
    pub max_age: Duration,
    /// Whether the end of the token ends the session.
    pub end_with_token: bool,
    /// What is masked in its replies, for whom policy does not reveal it.
    pub masking: Rules,
    /// How many bytes of the results of one operation are recorded, as its client sees them.
    pub recorded_results: usize,
    /// How to reach it.
    pub connector: Arc<dyn Connector>,
}

/// The gate as one client's connection meets it.
#[derive(Clone)]
pub struct Gate {
    ports: Ports,
    target: Arc<TargetSpec>,
    client: std::net::IpAddr,
}

impl Gate {
    /// The gate in front of `target` for a client at `client`.
    pub const fn new(ports: Ports, target: Arc<TargetSpec>, client: std::net::IpAddr) -> Self {
        Self { ports, target, client }
    }

    /// The target behind this gate.
    pub fn target(&self) -> &TargetSpec {
        &self.target
    }

    /// Where clients get tokens, if there is one such place.
    pub fn discovery(&self) -> Option<crate::identity::Discovery> {
        self.ports.identity.discovery()
    }

    /// Verifies who the client is and opens its session. `application` is what the client calls
    /// itself. Nothing has been sent to the target before this returns.
    pub async fn identify(&self, proof: Proof, application: &str) -> Result<Session, Refusal> {
        let identity = self.ports.identity.identify(&proof).await.map_err(|why| {
            Refusal::Unidentified(match why {
                IdentityError::Rejected(_) => Unidentified::Rejected,
                IdentityError::Expired => Unidentified::Expired,
                IdentityError::Unavailable(_) => Unidentified::Unavailable,
            })
        })?;
        drop(proof);
        let opened = self.ports.clock.now();
        let subject = Subject::new(
            identity,
            self.target.name.clone(),
            self.target.labels.clone(),
            self.target.family,
            self.client,
            application.to_owned(),
            opened,
        );
        let opening = Opening { subject: &subject, protocol: self.target.protocol, at: unix_micros(opened) };
        // no record, no session
        let recording = self.ports.recorder.open(&opening).map_err(|_| Refusal::NotRecorded)?;
        let token_end = self.target.end_with_token.then_some(subject.identity.expires);
        let ends = deadline(opened, self.target.max_age, token_end);
        let ending = self.ports.sessions.enter(recording.id(), &subject.identity, ends);
        let first = *ending.borrow();
        let shared = Shared::new(self.ports.clone(), subject, recording, ending, &self.target);
        let session = Session::new(shared, Arc::clone(&self.target));
        match first {
            Ending::NotYet => Ok(session),
            Ending::Finish(reason) | Ending::Now(reason) => Err(Refusal::Ended(reason)),
        }
    }
}
