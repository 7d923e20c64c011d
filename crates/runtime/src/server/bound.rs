//! A gate whose ports are bound: it accepts, and once told to stop it drains.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_core::approval::{Approvals, NoApprovals};
use portcullis_core::clock::SystemClock;
use portcullis_core::gate::Ports;
use portcullis_core::identity::{IdentitySource, Tickets};
use portcullis_core::policy::Policy;
use portcullis_core::sessions::Sessions;
use portcullis_core::stream::Acceptor;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::beside::Shared;
use super::doors::{Carpenter, Doors};
use super::journal::Journal;
use super::listener::{Entrance, Listener};
use super::plan::{Plan, Planned};
use super::vitals::Vitals;
use super::{RunError, adapters};
use crate::identity::WithTickets;
use crate::policy::CedarPolicy;
use crate::recording::TargetRecording;
use crate::telemetry::{Admin, Health, MeteredIdentity, MeteredPolicy, MeteredRecorder, Metrics};

/// How often deadlines of sessions are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How long sessions that were told to stop may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// A gate whose ports are bound.
pub struct Bound {
    targets: Vec<(Arc<Listener>, Entrance)>,
    admin: Option<Admin>,
    health: Arc<Health>,
    sessions: Arc<Sessions>,
    journal: Journal,
    background: Vec<adapters::Background>,
    at_drain: Option<Box<dyn FnOnce() + Send>>,
    drain: Duration,
}

impl Bound {
    pub(super) async fn new(plan: Plan) -> Result<Self, RunError> {
        let Plan { config, metrics, adapters, client_leg, targets, beside } = plan;
        let process = config.process;
        let beside = match beside {
            Some(beside) => (beside.open)(&process).await.map_err(RunError::Beside)?,
            None => None,
        };
        let journal = open_journal(process.recording, Arc::clone(&metrics)).await?;
        let (issuers, policies) = (Arc::clone(&adapters.identity), Arc::clone(&adapters.policy));
        let vitals = Arc::new(Vitals::new(Arc::clone(&policies), issuers, journal.health(), &targets));
        let common = Common {
            tokens: adapters.identity,
            tickets: beside.as_ref().map(|beside| beside.tickets()),
            policy: adapters.policy,
            approvals: beside.as_ref().map_or_else(|| Arc::new(NoApprovals) as _, |beside| beside.approvals()),
            sessions: Arc::default(),
            tls: client_leg.clone().map(|leg| leg as Arc<dyn Acceptor>),
            login_deadline: process.limits.login_deadline,
            admission: Admission::new(process.limits, Arc::clone(&metrics)),
            metrics,
        };
        let labels = targets.iter().map(|target| (target.spec.name.clone(), target.spec.labels.clone())).collect();
        let mut doors = Carpenter::new(Arc::clone(&common.admission));
        let mut listeners = Vec::new();
        for target in targets {
            let socket = bind(&target.spec.name, target.listen).await?;
            let entrance = Entrance { socket, visitors: doors.add(&target.spec.name) };
            listeners.push((Arc::new(common.listener(target, &journal)), entrance));
        }
        let mut background = adapters.background;
        let mut at_drain = None;
        if let Some(beside) = beside {
            at_drain = Some(beside.at_drain());
            let watched = Arc::clone(&vitals);
            background.push(Box::pin(async move { watched.watch().await }));
            background.push(beside.serve(common.shared(labels, doors.done(), policies, vitals, &journal)));
        }
        let health = Arc::new(Health::default());
        let admin = match process.admin {
            Some(admin) => Some(
                Admin::bind(admin.listen, common.metrics, Arc::clone(&health))
                    .await
                    .map_err(|source| RunError::Bind { what: "admin".into(), address: admin.listen, source })?,
            ),
            None => None,
        };
        if let Some(leg) = client_leg {
            background.push(Box::pin(async move { leg.follow_files().await }));
        }
        let (sessions, drain) = (common.sessions, process.session.drain);
        Ok(Self { targets: listeners, admin, health, sessions, journal, background, at_drain, drain })
    }

    /// Where each target's clients connect, by the target's name.
    pub fn addresses(&self) -> Vec<(&str, SocketAddr)> {
        self.targets
            .iter()
            .filter_map(|(listener, entrance)| Some((listener.spec.name.as_str(), entrance.socket.local_addr().ok()?)))
            .collect()
    }

    /// Where the admin listener is, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.address().ok()
    }

    /// The live sessions: how they are revoked.
    pub fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }

    /// Serves until `stop`, then lets what runs finish within the drain time, or until `hurry`.
    pub async fn serve(self, stop: impl Future<Output = ()>, hurry: impl Future<Output = ()>) {
        let mut background = JoinSet::new();
        for task in self.background {
            background.spawn(task);
        }
        background.spawn(tick(Arc::clone(&self.sessions)));
        if let Some(admin) = self.admin {
            background.spawn(admin.serve());
        }
        // The ports are bound, so whoever connects from here on is served.
        self.health.set_ready(true);
        let accepting = CancellationToken::new();
        let mut listeners = JoinSet::new();
        for (listener, entrance) in self.targets {
            if let Ok(address) = entrance.socket.local_addr() {
                let spec = &listener.spec;
                tracing::info!(target = %spec.name, protocol = spec.protocol, %address, "listening");
            }
            listeners.spawn(listener.accept(entrance, accepting.clone()));
        }
        stop.await;
        self.health.set_ready(false);
        if let Some(at_drain) = self.at_drain {
            at_drain();
        }
        accepting.cancel();
        let mut open = Vec::new();
        while let Some(sessions) = listeners.join_next().await {
            open.extend(sessions);
        }
        drain(open, &self.sessions, self.drain, hurry).await;
        // What runs beside the gate closes its own recording, so it goes first.
        background.shutdown().await;
        let closed = tokio::task::spawn_blocking(move || self.journal.close()).await;
        if closed.is_err() {
            tracing::error!("closing the recordings failed; the next start seals them");
        }
        tracing::info!("stopped");
    }
}

/// What the listeners of all targets share.
struct Common {
    tokens: Arc<dyn IdentitySource>,
    tickets: Option<Arc<dyn Tickets>>,
    policy: Arc<dyn Policy>,
    approvals: Arc<dyn Approvals>,
    sessions: Arc<Sessions>,
    tls: Option<Arc<dyn Acceptor>>,
    login_deadline: Duration,
    admission: Arc<Admission>,
    metrics: Arc<Metrics>,
}

impl Common {
    fn shared(
        &self,
        labels: HashMap<String, Vec<(String, String)>>,
        doors: Doors,
        policies: Arc<CedarPolicy>,
        vitals: Arc<Vitals>,
        journal: &Journal,
    ) -> Shared {
        // Whatever the targets are allowed: no record, no deed.
        let strict = TargetRecording { best_effort: Some(false), ..TargetRecording::default() };
        Shared {
            // A ticket is good at its target alone.
            identity: Arc::new(MeteredIdentity::new(Arc::clone(&self.tokens), &self.metrics)),
            policy: Arc::clone(&self.policy),
            policies,
            vitals,
            labels,
            doors,
            recorder: journal.recorder(strict),
            sessions: Arc::clone(&self.sessions),
            tls: self.tls.clone(),
        }
    }

    /// Who verifies what clients of a target show.
    fn identity(&self, target: &str) -> Arc<dyn IdentitySource> {
        let tokens = Arc::clone(&self.tokens);
        match &self.tickets {
            Some(tickets) => {
                Arc::new(WithTickets { tickets: Arc::clone(tickets), target: target.to_owned(), tokens }) as _
            }
            None => tokens,
        }
    }

    fn listener(&self, target: Planned, journal: &Journal) -> Listener {
        let Planned { spec, serving, vocabulary, recording, plaintext_login, listen: _, address: _ } = target;
        let counted = self.metrics.target(spec.protocol, &spec.name, vocabulary);
        let ports = Ports {
            identity: Arc::new(MeteredIdentity::new(self.identity(&spec.name), &self.metrics)),
            policy: Arc::new(MeteredPolicy::new(Arc::clone(&self.policy), Arc::clone(&counted))),
            approvals: Arc::clone(&self.approvals),
            recorder: Arc::new(MeteredRecorder { inner: journal.recorder(recording), metrics: counted }),
            clock: Arc::new(SystemClock),
            sessions: Arc::clone(&self.sessions),
        };
        Listener {
            spec,
            serving,
            ports,
            tls: self.tls.clone(),
            plaintext_login,
            login_deadline: self.login_deadline,
            admission: Arc::clone(&self.admission),
            metrics: Arc::clone(&self.metrics),
        }
    }
}

/// Lets sessions finish, then tells them to stop, then ends them.
async fn drain(mut open: Vec<JoinSet<()>>, sessions: &Sessions, time: Duration, hurry: impl Future<Output = ()>) {
    tracing::info!(sessions = sessions.count(), "draining: what runs may finish, nothing new begins");
    sessions.drain();
    tokio::select! {
        _ = tokio::time::timeout(time, all_over(&mut open)) => {}
        () = hurry => tracing::info!("told to hurry"),
    }
    sessions.stop();
    if tokio::time::timeout(GOODBYE, all_over(&mut open)).await.is_err() {
        let left: usize = open.iter().map(JoinSet::len).sum();
        tracing::warn!(connections = left, "connections that did not end in time are cut off");
        for set in &mut open {
            set.shutdown().await;
        }
    }
}

async fn all_over(open: &mut [JoinSet<()>]) {
    for set in open {
        while set.join_next().await.is_some() {}
    }
}

async fn tick(sessions: Arc<Sessions>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        sessions.end_overdue(SystemTime::now());
    }
}

/// Opening a spool reads what is there, and may seal much of it.
async fn open_journal(config: crate::recording::Config, metrics: Arc<Metrics>) -> Result<Journal, RunError> {
    let opened = tokio::task::spawn_blocking(move || Journal::open(&config, &metrics)).await;
    opened.unwrap_or_else(|_| Err(RunError::Process(String::from("opening the recordings failed"))))
}

async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Bind { what: what.to_owned(), address, source })
}
