//! Serving one client: the login, its channels, the end. Only the files of this folder await.
//!
//! russh awaits every callback within the loop that moves all channels, so a callback only looks,
//! copies and hands over; each channel has a task, and a connection to the target, of its own.

mod channel;
mod client;
mod relay;
mod spool;
mod stream;
mod tape;
mod target;

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::gate::{Gate, Session};
use portcullis_core::masking::Field;
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::protocol::{Client, ConfigError, ServeError};
use portcullis_core::recording::Status;
use portcullis_core::sessions::Ending;
use russh::{Disconnect, MethodKind, MethodSet, SshId, server};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::client::{ClientSide, NewChannel};
use self::spool::Pressure;
use self::stream::Throttled;
use crate::Ssh;
use crate::config::{Config, Login};

/// What one side may send on a channel before the other says that there is room for more.
const WINDOW: u32 = 2 << 20;
/// The longest packet that is taken.
const PACKET: u32 = 65_535;
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Unanswered keepalives after which a connection is over. Reading may have to pause for a while.
const KEEPALIVES: usize = 20;
/// Login attempts on one connection.
const ATTEMPTS: usize = 6;
/// How long a rejection takes where something was guessed.
const SLOW: Duration = Duration::from_secs(1);
/// How long the last words of channels and connection may take.
const LAST_WORDS: Duration = Duration::from_millis(1_500);

/// A client that is logged in.
pub(crate) struct Connection {
    pub(crate) session: Session,
    pub(crate) permit: Permit,
    pub(crate) config: Arc<Config>,
    /// Which of the configured logins it uses.
    pub(crate) user: String,
}

impl Connection {
    /// The account on the target.
    pub(crate) fn login(&self) -> Result<&Login, ServeError> {
        let found = self.config.logins.iter().find(|login| login.user == self.user);
        found.ok_or_else(|| ServeError::Gate("the login is not configured".into()))
    }
}

/// How the gate speaks to clients.
pub(crate) fn server_config(config: &Config) -> Result<server::Config, ConfigError> {
    let key = target::private_key(&config.host_key)
        .map_err(|why| ConfigError { key: "host_key".into(), message: why.to_string() })?;
    Ok(server::Config {
        server_id: SshId::Standard("SSH-2.0-Portcullis".into()),
        methods: methods(),
        auth_rejection_time: SLOW,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        max_auth_attempts: ATTEMPTS,
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        ..server::Config::default()
    })
}

fn methods() -> MethodSet {
    MethodSet::from(&[MethodKind::Password, MethodKind::KeyboardInteractive][..])
}

/// Serves one client from its first byte to its last.
pub(crate) async fn serve(ssh: &Ssh, client: Client, gate: Gate) -> Result<(), ServeError> {
    let pressure: Arc<Pressure> = Arc::default();
    let (channels, opened) = mpsc::unbounded_channel();
    let (logged_in, login) = tokio::sync::oneshot::channel();
    let side = ClientSide::new(Arc::clone(&ssh.config), gate, client.proof, Arc::clone(&pressure), channels, logged_in);
    let stream = Throttled { stream: client.stream, pressure: Arc::clone(&pressure) };
    let stopping = Stopping(Arc::clone(&pressure));
    let deadline = tokio::time::Instant::now() + client.login_deadline;
    let begun = tokio::time::timeout_at(deadline, server::run_stream(Arc::clone(&ssh.server), stream, side)).await;
    let too_long = || ServeError::Client("it took too long to log in".into());
    let mut running = begun.map_err(|_| too_long())?.map_err(from_client)?;
    let connection = tokio::select! {
        biased;
        connection = login => connection.map_err(|_| ServeError::Refused("the client did not log in".into())),
        () = tokio::time::sleep_until(deadline) => Err(too_long()),
    };
    let connection = match connection {
        Ok(connection) => connection,
        Err(why) => {
            drop(stopping);
            // What ended the connection says more than that it ended.
            return Err(running.await.err().map_or(why, from_client));
        }
    };
    let served = converse(&mut running, opened, &connection).await;
    drop(stopping);
    if let Some(connection) = Arc::into_inner(connection) {
        finish(connection, served.is_ok());
    }
    served
}

/// Ends the client's stream, whatever way serving it ends.
struct Stopping(Arc<Pressure>);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn from_client(why: russh::Error) -> ServeError {
    match why {
        russh::Error::IO(why) => ServeError::ClientIo(why),
        why => ServeError::Client(why.to_string()),
    }
}

async fn converse(
    running: &mut server::RunningSession<ClientSide>,
    mut opened: mpsc::UnboundedReceiver<NewChannel>,
    connection: &Arc<Connection>,
) -> Result<(), ServeError> {
    let handle = running.handle();
    let mut endings = connection.session.endings();
    let mut channels = JoinSet::new();
    let ended = loop {
        let ending = *endings.borrow_and_update();
        match ending {
            Ending::NotYet => {}
            Ending::Finish(reason) if channels.is_empty() => break Some(reason),
            Ending::Finish(_) => {}
            Ending::Now(reason) => break Some(reason),
        }
        tokio::select! {
            over = &mut *running => {
                // The client is gone, and with it whoever waited for its channels.
                channels.shutdown().await;
                return over.map_err(from_client);
            }
            Some(new) = opened.recv() => {
                channels.spawn(channel::serve(new, Arc::clone(connection)));
            }
            Some(done) = channels.join_next() => {
                if done.is_err_and(|why| why.is_panic()) {
                    return Err(ServeError::Gate("a channel's task failed".into()));
                }
            }
            Ok(()) = endings.changed() => {}
        }
    };
    // Each channel hears of the end by itself and says so to its client.
    let last_words = async {
        while channels.join_next().await.is_some() {}
        if let Some(reason) = ended {
            let told = format!("the session has ended: {}", reason.sentence());
            connection.session.close(told.clone());
            let _ = handle.disconnect(Disconnect::ByApplication, told, String::new()).await;
            let _ = running.await;
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
    channels.shutdown().await;
    Ok(())
}

fn finish(connection: Connection, well: bool) {
    let Connection { session, mut permit, .. } = connection;
    let message = permit.mask(&Field::CLEAN, b"");
    let status = if well { Status::Completed } else { Status::Aborted };
    // A failing recorder is remembered by the session, which is over.
    let _ = permit.finish(&Outcome { status, message, code: "", rows: 0, bytes: 0 });
    drop(session);
}

/// Logs in at the target as a session would, and leaves again.
pub(crate) async fn probe(ssh: &Ssh, gate: Gate) -> Result<(), ServeError> {
    for login in &ssh.config.logins {
        let spec = Arc::new(gate.target().clone());
        target::open(spec, Arc::clone(&ssh.config), login, "portcullis check").await?.leave().await;
    }
    Ok(())
}
