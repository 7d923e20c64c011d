//! A mini OIDC issuer on loopback http, for tests and for the demo: discovery, keys that rotate,
//! client credentials, the device flow (RFC 8628), the code flow with PKCE, tokens good and bad, faults on request.
//!
//! It runs on a thread of its own, so that it serves tests with and without an async runtime. It
//! is no identity provider: everybody may ask it for anything, and it listens on loopback only.

mod claims;
mod code;
mod device;
mod forgery;
mod http;
mod keys;
mod state;
mod token;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub use claims::Claims;
pub use forgery::Forgery;
pub use state::{Counts, Fault, Person};

use state::State;

/// A running issuer. Dropping it stops it.
pub struct Issuer {
    url: String,
    address: SocketAddr,
    state: Arc<State>,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Issuer {
    /// Starts an issuer on a free loopback port.
    pub async fn start() -> anyhow::Result<Self> {
        tokio::task::spawn_blocking(Self::start_blocking).await.context("the issuer's start was interrupted")?
    }

    /// Starts an issuer on a free loopback port, from code without an async runtime.
    pub fn start_blocking() -> anyhow::Result<Self> {
        serve_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// The issuer's URL, as it stands in `iss`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Signs a token with these claims. Missing ones are filled in: `iss`, `aud` (`portcullis`),
    /// `iat`, `exp` in an hour, `jti`.
    pub fn mint(&self, claims: &Claims) -> String {
        self.state.mint(claims)
    }

    /// Makes a token that must be refused.
    pub fn forge(&self, forgery: Forgery, claims: &Claims) -> String {
        forgery.forge(&self.state, claims)
    }

    /// New keys sign from now on; the old ones stay published.
    pub fn rotate(&self) -> anyhow::Result<()> {
        self.state.keys().rotate()
    }

    /// Publishes none but the newest keys.
    pub fn retire_old_keys(&self) {
        self.state.keys().retire();
    }

    /// The key set as it is published: what an issuer behind another address would send.
    pub fn key_set(&self) -> Value {
        json!({ "keys": self.state.keys().published() })
    }

    /// Breaks the issuer in one way, or mends it with [`Fault::None`].
    pub fn break_with(&self, fault: Fault) {
        self.state.break_with(fault);
    }

    /// An outage: connections are closed without an answer. The port stays taken.
    pub fn down(&self) {
        self.break_with(Fault::Down);
    }

    /// The end of an outage or of another fault.
    pub fn up(&self) {
        self.break_with(Fault::None);
    }

    /// The `Cache-Control` header of keys and discovery; `None` sends none.
    pub fn cache_control(&self, value: Option<&str>) {
        self.state.cache_control(value);
    }

    /// How often each endpoint was asked so far.
    pub fn counts(&self) -> Counts {
        self.state.counts()
    }

    /// Lets `person` log in at the device page.
    pub fn add_person(&self, person: Person) {
        self.state.add_person(person);
    }

    /// Registers a confidential client for the client credentials grant. Its tokens carry `claims`.
    pub fn add_client(&self, id: &str, secret: &str, claims: Claims) {
        self.state.add_client(id, secret, claims);
    }

    /// Approves a device's request as if the person behind `claims` had done so in a browser.
    pub fn approve(&self, user_code: &str, claims: Claims) -> anyhow::Result<()> {
        ensure!(self.state.devices().approve(user_code, claims), "no device waits for this code");
        Ok(())
    }

    /// Where the issuer sends the browser of the person behind `claims`, who agreed at the address to which an
    /// application sent it.
    pub fn agree(&self, address: &str, claims: Claims) -> anyhow::Result<String> {
        let query = address.split_once('?').map_or("", |(_, query)| query);
        let asked = serde_urlencoded::from_str(query).context("the application's question is not understood")?;
        http::agreed_to(&self.state, asked, claims).context("the application's question is not one that is answered")
    }

    /// How long devices are told to wait between polls. One second unless set.
    pub fn device_interval(&self, interval: Duration) {
        self.state.devices().set_interval(interval);
    }

    /// Stops the issuer and gives its port back.
    pub fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        if let Some(running) = self.running.take() {
            // An error means that the thread has ended by itself.
            let _ = running.stop.send(());
            let _ = running.thread.join();
        }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Starts an issuer on `address`, which must be loopback. Port 0 takes any free port. It runs
/// until it is stopped or dropped.
pub fn serve_on(address: SocketAddr) -> anyhow::Result<Issuer> {
    ensure!(address.ip().is_loopback(), "the mini issuer listens on loopback only");
    let listener = std::net::TcpListener::bind(address).context("the issuer cannot listen")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let url = format!("http://{address}");
    let state = Arc::new(State::new(&url)?);
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = Arc::clone(&state);
    let thread = std::thread::Builder::new().name(String::from("mini-issuer")).spawn(move || {
        // Leaving the runtime ends its connections as well.
        runtime.block_on(http::serve(listener, served, stopped));
    })?;
    Ok(Issuer { url, address, state, running: Some(Running { stop, thread }) })
}

#[cfg(test)]
mod tests;
