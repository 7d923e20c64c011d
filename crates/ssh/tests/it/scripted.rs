//! A scripted SSH target and a scripted client, both on russh, with keys of their own.

use std::sync::Arc;

use portcullis_core::stream::BoxStream;
use portcullis_testkit::fakes::Received;
use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_key::{LineEnding, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, ChannelMsg, client, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A key made from a number, the same each time.
pub(crate) fn key(number: u8) -> PrivateKey {
    let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[number; 32]);
    PrivateKey::from(pair)
}

/// The key as OpenSSH keeps it.
pub(crate) fn pem(number: u8) -> String {
    key(number).to_openssh(LineEnding::LF).unwrap().to_string()
}

/// The public half, as `authorized_keys` has it.
pub(crate) fn public(number: u8) -> String {
    key(number).public_key().to_openssh().unwrap()
}

/// Serves one connection as a target whose commands are written down as they come.
pub(crate) async fn target(stream: BoxStream, received: Received) {
    let config = server::Config { keys: vec![key(1)], ..server::Config::default() };
    if let Ok(session) = server::run_stream(Arc::new(config), stream, Target { received }).await {
        let _ = session.await;
    }
}

struct Target {
    received: Received,
}

impl Target {
    fn hear(&self, bytes: &[u8]) {
        self.received.lock().unwrap().extend_from_slice(bytes);
    }
}

impl server::Handler for Target {
    type Error = russh::Error;

    async fn auth_password(&mut self, _user: &str, _password: &str) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_publickey(&mut self, _user: &str, _key: server::VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.hear(command);
        session.channel_success(channel)?;
        match command {
            b"cat" => return Ok(()),
            b"endless" => return session.data(channel, b"on and on\n".to_vec()),
            b"names" => session.data(channel, b"Ann\n".to_vec())?,
            command => session.data(channel, [b"ran ", command, b"\n"].concat())?,
        }
        session.exit_status_request(channel, 0)?;
        session.eof(channel)?;
        session.close(channel)
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        self.hear(data);
        session.data(channel, data.to_vec())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.exit_status_request(channel, 0)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

/// A logged-in client.
pub(crate) struct Client {
    pub(crate) handle: client::Handle<Trusting>,
    raw: mpsc::Sender<Vec<u8>>,
    endless: Option<Channel<client::Msg>>,
}

/// A client that takes whatever host key it is shown.
pub(crate) struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// What a command printed and how it ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
    pub(crate) status: Option<u32>,
}

impl Client {
    pub(crate) async fn log_in(stream: BoxStream, token: &str) -> Result<Self, String> {
        let (raw, mut injected) = mpsc::channel::<Vec<u8>>(1);
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(async move {
            let (mut from_gate, mut to_gate) = tokio::io::split(stream);
            let (mut from_client, mut to_client) = tokio::io::split(theirs);
            let mut buffer = vec![0; 64 << 10];
            let back = tokio::spawn(async move { tokio::io::copy(&mut from_gate, &mut to_client).await });
            loop {
                let sent = tokio::select! {
                    read = from_client.read(&mut buffer) => match read {
                        Ok(0) | Err(_) => break,
                        Ok(n) => to_gate.write_all(&buffer[..n]).await,
                    },
                    Some(bytes) = injected.recv() => {
                        // Nothing follows: what looks like the beginning of a packet is no reason to wait.
                        let _ = to_gate.write_all(&bytes).await;
                        let _ = to_gate.shutdown().await;
                        let _ = back.await;
                        return;
                    }
                };
                if sent.is_err() {
                    break;
                }
            }
            let _ = to_gate.shutdown().await;
            back.abort();
        });
        let mut handle = client::connect_stream(Arc::default(), ours, Trusting)
            .await
            .map_err(|why| format!("no connection: {why}"))?;
        let answered = handle.authenticate_password("app", token).await.map_err(|why| format!("no login: {why}"))?;
        if answered.success() { Ok(Self { handle, raw, endless: None }) } else { Err("rejected".into()) }
    }

    /// Opens a channel and runs a command; `None` where the connection is over.
    pub(crate) async fn start(&mut self, command: &str) -> Option<Channel<client::Msg>> {
        let channel = self.handle.channel_open_session().await.ok()?;
        channel.exec(true, command).await.ok()?;
        Some(channel)
    }

    pub(crate) async fn run(&mut self, command: &str) -> Option<Ran> {
        let mut channel = self.start(command).await?;
        let ran = rest(&mut channel).await;
        ran.status.is_some().then_some(ran)
    }

    /// Starts what never ends, and waits for its first bytes.
    pub(crate) async fn begin_endless(&mut self) -> Option<Vec<u8>> {
        let mut channel = self.start("endless").await?;
        loop {
            if let ChannelMsg::Data { data } = channel.wait().await? {
                self.endless = Some(channel);
                return Some(data.to_vec());
            }
        }
    }

    pub(crate) async fn inject(&mut self, bytes: &[u8]) {
        let _ = self.raw.send(bytes.to_vec()).await;
    }

    /// Reads on until the connection is over, and gives what was said last.
    pub(crate) async fn until_closed(&mut self) -> Option<String> {
        let last = match self.endless.take() {
            Some(mut channel) => Some(rest(&mut channel).await.err),
            None => None,
        };
        while !self.handle.is_closed() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        last
    }
}

/// Everything that comes on a channel.
pub(crate) async fn rest(channel: &mut Channel<client::Msg>) -> Ran {
    let mut ran = Ran::default();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => ran.out.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => ran.err.push_str(&String::from_utf8_lossy(&data)),
            ChannelMsg::ExitStatus { exit_status } => ran.status = Some(exit_status),
            _ => {}
        }
    }
    ran
}
