//! The API through which humans look and answer: JSON over HTTP, each request with a bearer token of the
//! gate's own issuers, or with the cookie of somebody who signed in with one. Whoever is not proven sees nothing; whoever is sees the asks that they made or
//! may answer, and what the policies permit them.

mod asks;
mod audit;
mod caller;
pub mod document;
mod failure;
mod live;
mod me;
mod policies;
mod recording;
pub mod routes;
mod sessions;
mod sign_in;
mod targets;
mod tickets;
mod tunnel;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use portcullis_core::identity::IdentitySource;
use portcullis_core::sessions::Sessions;
use tokio::sync::broadcast;

pub use self::asks::{Listed, Reason, Shown};
pub use self::audit::AuditList;
pub use self::failure::Failure;
pub use self::me::Me;
pub use self::policies::{Draft, ReplayAsked, ReplayResult, Validation};
pub use self::recording::Readers;
pub use self::sessions::{Ended, Ends, EventList, OperationList, SessionList, ShownEvent};
pub use self::sign_in::{Issuers, ShownIssuer};
pub use self::targets::{GateHealth, TargetList};
pub use self::tickets::{Ticket, TicketFor};
use crate::archive::Archive;
use crate::audit::Audit;
use crate::authority::Authority;
use crate::desk::Desk;
use crate::index::Index;
use crate::policies::Policies;
use crate::sign_in::SignIns;
use crate::tickets::TicketDesk;
use crate::tunnel::{Doors, Places};
use crate::vitals::Vitals;

/// How far the clocks of issuers may be ahead.
const LEEWAY: Duration = Duration::from_secs(60);

/// What the API stands on.
#[derive(Clone)]
pub struct Api {
    /// The asks.
    pub desk: Arc<Desk>,
    /// Who verifies tokens.
    pub identity: Arc<dyn IdentitySource>,
    /// Who is signed in to the page.
    pub sign_ins: SignIns,
    /// What policies permit.
    pub authority: Authority,
    /// All sessions that were recorded.
    pub index: Index,
    /// Their recordings.
    pub archive: Arc<dyn Archive>,
    /// The policies, to be read and tried.
    pub policies: Arc<dyn Policies>,
    /// How the gate and its targets are.
    pub vitals: Arc<dyn Vitals>,
    /// Tells of the numbers of sessions that have changed.
    pub changed: broadcast::Sender<u64>,
    /// Where it is written down what people do.
    pub audit: Audit,
    /// Who is known to read which recording.
    pub readers: Arc<Readers>,
    /// The live sessions.
    pub sessions: Arc<Sessions>,
    /// The tickets that were made.
    pub tickets: Arc<TicketDesk>,
    /// The ways in to the targets.
    pub doors: Arc<dyn Doors>,
    /// The tunnels that may be open.
    pub(crate) tunnels: Places,
    /// The oldest login that may answer.
    pub max_login_age: Duration,
}

impl Api {
    /// The routes.
    pub fn routes(self) -> Router {
        routes::router(self)
    }
}
