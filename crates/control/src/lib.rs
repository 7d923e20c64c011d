//! The control plane: who is asked, what they answered, and the API through which they do.
//!
//! It runs in the gate's own process ([`Control`]), keeps what it knows in SQLite, and is to the gate
//! what any control plane is: core's port of approvals. It knows no protocol and no policy language.

pub mod api;
mod approvals;
pub mod ask;
pub mod desk;
mod http;
pub mod page;
pub mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::approval::Approvals;
use portcullis_core::clock::{Clock, SystemClock};
use portcullis_core::identity::IdentitySource;
use portcullis_core::sessions::Sessions;
use portcullis_core::stream::Acceptor;

pub use approvals::DeskApprovals;

use crate::api::Api;
use crate::desk::Desk;
use crate::http::Listener;
use crate::store::{Sqlite, StoreError};

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
    /// Groups whose members may end sessions.
    pub operators: Vec<String>,
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
}

/// The control plane of one gate, bound and not yet serving.
pub struct Control {
    desk: Arc<Desk>,
    listener: Listener,
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
        let store = Sqlite::open(&settings.database).await?;
        let desk = Desk::open(Arc::new(store), clock).await?;
        let address = settings.listen;
        let bind = |source| ControlError::Bind { address, source };
        let listener = Listener::bind(address).await.map_err(bind)?;
        let scheme = if tls { "https" } else { "http" };
        let own = format!("{scheme}://{}", listener.address().map_err(bind)?);
        let url = settings.url.clone().unwrap_or(own);
        Ok(Self { desk, listener, url, settings })
    }

    /// The gate's port to this control plane.
    pub fn approvals(&self) -> Arc<dyn Approvals> {
        Arc::new(DeskApprovals::new(Arc::clone(&self.desk), &self.url))
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
    pub async fn serve(
        self,
        identity: Arc<dyn IdentitySource>,
        sessions: Arc<Sessions>,
        tls: Option<Arc<dyn Acceptor>>,
    ) {
        let api = Api {
            desk: Arc::clone(&self.desk),
            identity,
            sessions,
            max_login_age: self.settings.max_login_age,
            operators: self.settings.operators.into(),
        };
        if let Ok(address) = self.listener.address() {
            tracing::info!(%address, url = %self.url, "the control API is listening");
        }
        tokio::join!(self.listener.serve(api.routes(), tls), tick(self.desk));
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
