//! The adapters behind core's ports, made from the configuration. This is the one place that
//! knows which adapter stands behind which port.

use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::clock::SystemClock;
use portcullis_core::vocabulary::Vocabulary;

use crate::config::{Config, Problem, Problems};
use crate::identity::{Oidc, OidcHealth};
use crate::policy::{CedarPolicy, Watch};
use crate::telemetry::Metrics;

/// Something that goes on for as long as the gate runs.
pub(super) type Background = BoxFuture<'static, ()>;

/// The adapters that need no lock on anything: a plan has them, whether it is run or not.
pub(super) struct Adapters {
    pub(super) identity: Arc<Oidc>,
    pub(super) policy: Arc<CedarPolicy>,
    pub(super) background: Vec<Background>,
}

impl Adapters {
    pub(super) fn new(
        config: &Config,
        vocabularies: &[&'static Vocabulary],
        metrics: &Metrics,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut background: Vec<Background> = Vec::new();
        let identity = identity(config, metrics, &mut background).map_err(|problem| problems.0.push(problem));
        let policy =
            policy(config, vocabularies, metrics, &mut background).map_err(|mut more| problems.0.append(&mut more.0));
        match (identity, policy) {
            (Ok(identity), Ok(policy)) => Ok(Self { identity, policy, background }),
            _ => Err(problems),
        }
    }
}

fn identity(config: &Config, metrics: &Metrics, background: &mut Vec<Background>) -> Result<Arc<Oidc>, Problem> {
    let settings = &config.process.identity;
    let oidc = Oidc::new(settings.oidc.clone(), settings.cache_dir.clone(), Arc::new(SystemClock))
        .map_err(|why| config.problem("identity", why.to_string()))?;
    let oidc = Arc::new(oidc);
    for (index, issuer) in settings.oidc.iter().enumerate() {
        show_issuer(metrics, &oidc, index, &issuer.name).map_err(|why| unregistered(&why))?;
    }
    let running = Arc::clone(&oidc);
    background.push(Box::pin(async move { running.run().await }));
    Ok(oidc)
}

fn show_issuer(metrics: &Metrics, oidc: &Arc<Oidc>, index: usize, name: &str) -> Result<(), prometheus::Error> {
    let labels = [("issuer", name)];
    let read = |what: fn(&OidcHealth) -> u64| {
        let oidc = Arc::clone(oidc);
        move || oidc.health().get(index).map_or(0, what)
    };
    metrics.read_counter(
        "portcullis_oidc_refreshes_total",
        "Times that an issuer's keys were fetched.",
        &labels,
        read(|health| health.refreshes),
    )?;
    metrics.read_counter(
        "portcullis_oidc_refresh_failures_total",
        "Times that an issuer's keys could not be fetched.",
        &labels,
        read(|health| health.failures),
    )?;
    metrics.read_gauge(
        "portcullis_oidc_keys_fresh",
        "1 while an issuer's keys are fresh, 0 while they are stale or missing.",
        &labels,
        read(|health| u64::from(health.fresh)),
    )
}

fn policy(
    config: &Config,
    vocabularies: &[&'static Vocabulary],
    metrics: &Metrics,
    background: &mut Vec<Background>,
) -> Result<Arc<CedarPolicy>, Problems> {
    let targets: Vec<String> = config.targets.iter().map(|target| target.common.name.clone()).collect();
    let policy = CedarPolicy::load(&config.process.policy.dir, vocabularies, &targets)
        .map_err(|errors| Problems(errors.0.iter().map(|error| Problem::elsewhere(error.to_string())).collect()))?;
    let policy = Arc::new(policy);
    show_policy(metrics, &policy).map_err(|why| unregistered(&why))?;
    let watched = Arc::clone(&policy);
    background.push(Box::pin(async move {
        match Watch::start(&watched) {
            Ok(_watch) => std::future::pending().await,
            Err(why) => tracing::error!(error = %why, "changes of policies will not be noticed"),
        }
    }));
    Ok(policy)
}

fn show_policy(metrics: &Metrics, policy: &Arc<CedarPolicy>) -> Result<(), prometheus::Error> {
    let failing = Arc::clone(policy);
    metrics.read_gauge(
        "portcullis_policy_failing",
        "1 while the folder holds policies that cannot be used, so that the ones before stay.",
        &[],
        move || u64::from(failing.health().failing.is_some()),
    )?;
    let deciding = Arc::clone(policy);
    metrics.read_label(
        "portcullis_policy_revision",
        "1 for the revision of the policies that decide now.",
        "revision",
        move || deciding.revision().to_string(),
    )
}

fn unregistered(why: &prometheus::Error) -> Problem {
    Problem::elsewhere(format!("metrics cannot be registered: {why}"))
}
