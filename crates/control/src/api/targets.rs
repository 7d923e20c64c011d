//! The targets and the gate itself: how they are.

use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::{Api, Failure};
use crate::vitals::{Part, PartState, ShownTarget};
use crate::vocabulary::PLANE;

/// The targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TargetList {
    /// Those that the caller may see, in the order of the configuration.
    pub targets: Vec<ShownTarget>,
}

/// How the gate is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GateHealth {
    /// Its version.
    pub version: String,
    /// How long it has been running, in seconds.
    pub uptime_s: u64,
    /// Its parts.
    pub parts: Vec<Part>,
}

pub(super) async fn list(Shared(api): Shared<Api>, who: Caller) -> Result<Json<TargetList>, Failure> {
    let mut targets = api.vitals.targets();
    let names = targets.iter().map(|target| target.name.clone()).collect();
    let permitted = who.permitted_among(&api, names)?;
    targets.retain(|target| permitted.contains(&target.name));
    let live = api.index.live().await?;
    for target in &mut targets {
        target.live_sessions = live.get(&target.name).copied().unwrap_or_default();
    }
    Ok(Json(TargetList { targets }))
}

pub(super) async fn health(Shared(api): Shared<Api>, who: Caller) -> Result<Json<GateHealth>, Failure> {
    who.permitted(&api, PLANE)?;
    let mut parts = api.vitals.parts();
    let (state, detail) = match api.index.targets().await {
        Ok(_) => (PartState::Ok, String::new()),
        Err(why) => (PartState::Failed, why.to_string()),
    };
    parts.push(Part { name: String::from("index"), state, detail });
    Ok(Json(GateHealth { version: env!("CARGO_PKG_VERSION").to_owned(), uptime_s: api.vitals.uptime(), parts }))
}
