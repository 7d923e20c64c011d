//! The control plane: who is asked, what they answered, and the API through which they do.
//!
//! It runs in the gate's own process ([`Control`]), keeps what it knows in SQLite, and is to the gate
//! what any control plane is: core's port of approvals. It knows no protocol and no policy language.
//! What was recorded it reads through a port, and keeps an index of it.

pub mod api;
mod approvals;
pub mod archive;
pub mod ask;
pub mod audit;
pub mod authority;
pub mod desk;
mod http;
pub mod index;
pub mod notify;
pub mod page;
pub mod policies;
pub mod sign_in;
pub mod store;
pub mod tickets;
pub mod tunnel;
pub mod vitals;
pub mod vocabulary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::approval::Approvals;
use portcullis_core::clock::{Clock, SystemClock};
use portcullis_core::identity::{IdentitySource, Tickets};
use portcullis_core::recording::Recorder;
use portcullis_core::sessions::Sessions;
use portcullis_core::stream::Acceptor;

pub use approvals::DeskApprovals;

use crate::api::Api;
use crate::archive::Archive;
use crate::audit::Audit;
use crate::authority::Authority;
use crate::desk::Desk;
use crate::http::Listener;
use crate::index::{Follower, Index};
use crate::notify::{Notifier, Receiver, ReceiverError};
use crate::policies::Policies;
use crate::sign_in::{Issuer, SignIns};
use crate::store::{Sqlite, StoreError};
use crate::tickets::TicketDesk;
use crate::tunnel::{Doors, Places};
use crate::vitals::Vitals;

/// How often what is over is ended.
const TICK: Duration = Duration::from_secs(1);

/// How a control plane is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where people reach it, for links; without it, what it listens on.
    pub url: Option<String>,
    /// The SQLite file.
    pub database: PathBuf,
    /// The oldest login that may answer an ask.
    pub max_login_age: Duration,
    /// How long somebody who signed in to the page is.
    pub sign_in_lasts: Duration,
    /// Who is told of asks.
    pub notify: Vec<Receiver>,
}

/// Why a control plane does not start.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Its store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its address cannot be listened on.
    #[error("the control API cannot listen on `{address}`: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody who should be told of asks cannot be.
    #[error(transparent)]
    Notify(#[from] ReceiverError),
}

/// What a control plane needs of the gate beside which it runs.
pub struct Ports {
    /// Who verifies tokens.
    pub identity: Arc<dyn IdentitySource>,
    /// Where people sign in.
    pub issuers: Vec<Issuer>,
    /// What policies permit.
    pub authority: Authority,
    /// The recordings.
    pub archive: Arc<dyn Archive>,
    /// The policies, to be read and tried.
    pub policies: Arc<dyn Policies>,
    /// How the gate and its targets are.
    pub vitals: Arc<dyn Vitals>,
    /// What writes down what people do here.
    pub recorder: Arc<dyn Recorder>,
    /// The live sessions.
    pub sessions: Arc<Sessions>,
    /// The ways in to the targets.
    pub doors: Arc<dyn Doors>,
    /// The gate's own certificate, where it has one.
    pub tls: Option<Arc<dyn Acceptor>>,
}

/// The control plane of one gate, bound and not yet serving.
pub struct Control {
    desk: Arc<Desk>,
    tickets: Arc<TicketDesk>,
    index: Index,
    store: Arc<Sqlite>,
    clock: Arc<dyn Clock>,
    listener: Listener,
    notifier: Notifier,
    url: String,
    settings: Settings,
}

impl Control {
    /// Opens the store and binds the address. `tls` is whether the API will be served inside TLS.
    pub async fn open(settings: Settings, tls: bool) -> Result<Self, ControlError> {
        Self::open_by(settings, tls, Arc::new(SystemClock)).await
    }

    /// As [`open`](Self::open), by another clock.
    pub async fn open_by(settings: Settings, tls: bool, clock: Arc<dyn Clock>) -> Result<Self, ControlError> {
        let address = settings.listen;
        let bind = |source| ControlError::Bind { address, source };
        let listener = Listener::bind(address).await.map_err(bind)?;
        let scheme = if tls { "https" } else { "http" };
        let own = format!("{scheme}://{}", listener.address().map_err(bind)?);
        let url = settings.url.clone().unwrap_or(own);
        let store = Arc::new(Sqlite::open(&settings.database).await?);
        let (receivers, base) = (settings.notify.clone(), url.trim_end_matches('/'));
        let notifier = Notifier::open(receivers, base, Arc::clone(&store), Arc::clone(&clock)).await?;
        let desk = Desk::open(notifier.store(), Arc::clone(&clock)).await?;
        let index = Index::open(&settings.database.with_extension("index.sqlite")).await?;
        let tickets = Arc::new(TicketDesk::new(Arc::clone(&clock)));
        Ok(Self { desk, tickets, store, clock, index, listener, notifier, url, settings })
    }

    /// The gate's port to this control plane.
    pub fn approvals(&self) -> Arc<dyn Approvals> {
        Arc::new(DeskApprovals::new(Arc::clone(&self.desk), &self.url))
    }

    /// The gate's port to the tickets that are made here.
    pub fn tickets(&self) -> Arc<dyn Tickets> {
        Arc::clone(&self.tickets) as _
    }

    /// The desk, to be closed before the gate's sessions end.
    pub fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// Where the API listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.address()
    }

    /// Serves until it is dropped.
    pub async fn serve(self, ports: Ports) {
        let Ports { identity, issuers, authority, archive, policies, vitals, recorder, sessions, doors, tls } = ports;
        let (follower, changed) = Follower::new(self.index.clone(), Arc::clone(&archive));
        let api = Api {
            desk: Arc::clone(&self.desk),
            identity,
            sessions,
            tickets: self.tickets,
            doors,
            tunnels: Places::default(),
            authority,
            index: self.index,
            archive,
            policies,
            vitals,
            changed,
            sign_ins: SignIns::new(
                issuers,
                &self.url,
                self.settings.sign_in_lasts,
                Arc::clone(&self.store),
                Arc::clone(&self.clock),
            ),
            audit: Audit::new(recorder, self.clock, self.store),
            readers: Arc::default(),
            max_login_age: self.settings.max_login_age,
        };
        if let Ok(address) = self.listener.address() {
            tracing::info!(%address, url = %self.url, "the control API is listening");
        }
        let told = self.notifier.run(&self.desk);
        tokio::join!(self.listener.serve(api.routes(), tls), tick(Arc::clone(&self.desk)), follower.run(), told);
    }
}

/// Ends asks as their time comes.
async fn tick(desk: Arc<Desk>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = desk.someone_left() => {}
        }
        if let Err(why) = desk.sweep().await {
            tracing::error!(error = %why, "asks that are over could not be ended");
        }
    }
}
