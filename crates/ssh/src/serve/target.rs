//! Connections to the target: key exchange, its host key, the gate's login, one channel.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_core::gate::TargetSpec;
use portcullis_core::protocol::ServeError;
use portcullis_core::secret::SecretRef;
use russh::client::{self, AuthResult};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelReadHalf, ChannelWriteHalf, Disconnect};

use super::spool::Terminal;
use super::{KEEPALIVE, KEEPALIVES, PACKET, WINDOW};
use crate::classify::Start;
use crate::config::{Config, Login};
use crate::keys;

/// How long connecting, key exchange and login may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// Messages of a channel that wait before the connection to the target is read no more.
const WAITING: usize = 32;

/// The gate's side of a connection to the target. The target starts nothing.
pub(crate) struct TargetSide {
    config: Arc<Config>,
}

impl client::Handler for TargetSide {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(keys::is_trusted(&self.config, shown, SystemTime::now()))
    }
}

/// A channel on a connection of its own.
pub(crate) struct TargetEnd {
    connection: client::Handle<TargetSide>,
    channel: Option<Channel<client::Msg>>,
}

impl TargetEnd {
    /// Sends what the client asked for, and gives the channel's two ends.
    pub(crate) async fn start(
        &mut self,
        terminal: Option<&Terminal>,
        env: &[(String, String)],
        start: &Start,
    ) -> Result<(ChannelReadHalf, ChannelWriteHalf<client::Msg>), russh::Error> {
        let channel = self.channel.take().ok_or(russh::Error::WrongChannel)?;
        if let Some(Terminal { term, size: [columns, rows, width, height], modes }) = terminal {
            channel.request_pty(false, term, *columns, *rows, *width, *height, modes).await?;
        }
        for (name, value) in env {
            channel.set_env(false, name, value).await?;
        }
        match start {
            Start::Exec(command) => channel.exec(true, command.clone()).await?,
            Start::Shell => channel.request_shell(true).await?,
            Start::Subsystem(name) => channel.request_subsystem(true, name).await?,
        }
        Ok(channel.split())
    }

    /// Says goodbye.
    pub(crate) async fn leave(self) {
        let _ = self.connection.disconnect(Disconnect::ByApplication, "", "").await;
    }
}

/// Connects, logs in and opens a session channel. `id` names session and subject.
pub(crate) async fn open(
    spec: Arc<TargetSpec>,
    config: Arc<Config>,
    login: &Login,
    id: &str,
) -> Result<TargetEnd, ServeError> {
    let opened = tokio::time::timeout(DEADLINE, connect(&spec, config, login, id)).await;
    opened.map_err(|_| ServeError::Target("it took too long to log in".into()))?
}

async fn connect(spec: &TargetSpec, config: Arc<Config>, login: &Login, id: &str) -> Result<TargetEnd, ServeError> {
    let stream = spec.connector.connect().await.map_err(ServeError::TargetIo)?;
    let broken = |why: russh::Error| match why {
        russh::Error::UnknownKey => ServeError::Target("its host key is not one that the configuration trusts".into()),
        why => ServeError::Target(format!("the SSH connection failed: {why}")),
    };
    let mut connection =
        client::connect_stream(client_config(), stream, TargetSide { config }).await.map_err(broken)?;
    let answered = log_in(&mut connection, login, id).await?;
    if !answered.success() {
        return Err(ServeError::Target(format!("it refused the gate's login `{}`", login.user)));
    }
    let channel = connection.channel_open_session().await.map_err(broken)?;
    Ok(TargetEnd { connection, channel: Some(channel) })
}

async fn log_in(
    connection: &mut client::Handle<TargetSide>,
    login: &Login,
    id: &str,
) -> Result<AuthResult, ServeError> {
    let user = login.user.as_str();
    let answered = if let Some(authority) = &login.authority {
        let minted = keys::mint(&private_key(authority)?, user, id, SystemTime::now());
        let (key, certificate) = minted.map_err(|why| ServeError::Gate(format!("no certificate was made: {why}")))?;
        connection.authenticate_openssh_cert(user, Arc::new(key), certificate).await
    } else if let Some(key) = &login.key {
        let key = Arc::new(private_key(key)?);
        let hash = connection.best_supported_rsa_hash().await.ok().flatten().flatten();
        connection.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, hash)).await
    } else if let Some(password) = &login.password {
        let password = password.resolve().map_err(|why| ServeError::Gate(why.to_string()))?;
        connection.authenticate_password(user, password.expose()).await
    } else {
        return Err(ServeError::Gate("the login has no secret".into()));
    };
    answered.map_err(|why| ServeError::Target(format!("the login failed: {why}")))
}

/// A private key, read now, so that a rotated one is used by the next connection.
pub(crate) fn private_key(secret: &SecretRef) -> Result<PrivateKey, ServeError> {
    let text = secret.resolve().map_err(|why| ServeError::Gate(why.to_string()))?;
    PrivateKey::from_openssh(text.expose()).map_err(|why| ServeError::Gate(format!("a private key is not good: {why}")))
}

fn client_config() -> Arc<client::Config> {
    Arc::new(client::Config {
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: WAITING,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        ..client::Config::default()
    })
}
