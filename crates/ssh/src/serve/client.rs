//! The client's side of a connection: russh's callbacks. They look, copy and hand over; only those
//! of the login wait for anybody, and while they do there is no channel.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use portcullis_core::gate::{Answer, Gate};
use portcullis_core::identity::Proof;
use portcullis_core::masking::Tags;
use portcullis_core::operation::{Operation, Parameters};
use portcullis_core::refusal::Refusal;
use portcullis_core::secret::Secret;
use russh::server::{self, Auth, ChannelOpenHandle, Handle, Msg, Response};
use russh::{Channel, ChannelId, ChannelOpenFailure, ChannelWriteHalf, Disconnect, Pty, Sig};
use tokio::sync::{mpsc, oneshot};

use super::Connection;
use super::spool::{FromClient, Pressure, Spool, Terminal};
use crate::classify::{self, Forward, Start};
use crate::config::Config;

/// Channels that a client may have open at once.
const MAX_CHANNELS: usize = 64;
/// The longest text in a request, beside commands.
const MAX_TEXT: usize = 4 << 10;
/// The longest command that is passed on.
const MAX_STATEMENT: usize = 256 << 10;

/// A session channel that a client has opened.
pub(crate) struct NewChannel {
    pub(crate) id: ChannelId,
    pub(crate) writer: ChannelWriteHalf<Msg>,
    pub(crate) handle: Handle,
    pub(crate) spool: Arc<Spool>,
    pub(crate) pressure: Arc<Pressure>,
}

/// What the gate knows of a client's connection.
pub(crate) struct ClientSide {
    config: Arc<Config>,
    gate: Gate,
    pressure: Arc<Pressure>,
    spools: HashMap<ChannelId, Arc<Spool>>,
    opened: mpsc::UnboundedSender<NewChannel>,
    logged_in: Option<oneshot::Sender<Arc<Connection>>>,
    connection: Option<Arc<Connection>>,
    refused: Option<Refusal>,
    /// What the client has shown before its protocol began.
    proof: Option<Proof>,
}

impl ClientSide {
    pub(crate) fn new(
        config: Arc<Config>,
        gate: Gate,
        proof: Option<Proof>,
        pressure: Arc<Pressure>,
        opened: mpsc::UnboundedSender<NewChannel>,
        logged_in: oneshot::Sender<Arc<Connection>>,
    ) -> Self {
        let spools = HashMap::new();
        let logged_in = Some(logged_in);
        Self { config, gate, pressure, spools, opened, logged_in, connection: None, refused: None, proof }
    }

    /// Verifies a token, and decides whether its bearer may log in under this account.
    async fn log_in(&mut self, user: &str, token: &str) -> Auth {
        self.log_in_with(user, Proof::Bearer(Secret::new(token.to_owned()))).await
    }

    async fn log_in_with(&mut self, user: &str, proof: Proof) -> Auth {
        let again = Auth::Reject { proceed_with_methods: Some(super::methods()), partial_success: false };
        let Some(login) = self.config.login_for(user, &self.gate.target().name) else { return again };
        let account = login.user.clone();
        let Ok(session) = self.gate.identify(proof, "").await else { return again };
        let effects = classify::connect(&account);
        let operation = Operation {
            kind: "connect",
            statement: user.as_bytes(),
            parameters: Parameters::default(),
            effects: &effects,
            account: &account,
            in_transaction: false,
            carries: Tags::NONE,
        };
        match session.decide(&operation) {
            Answer::Permit(permit) => {
                let config = Arc::clone(&self.config);
                self.connection = Some(Arc::new(Connection { session, permit, config, user: account }));
            }
            // The client is known: it is told why instead of being asked for another password.
            Answer::Ask(_) => self.refused = Some(Refusal::NobodyToAsk),
            Answer::Refuse(refusal) => self.refused = Some(refusal),
        }
        Auth::Accept
    }

    fn give(&self, channel: ChannelId, item: FromClient) {
        if let Some(spool) = self.spools.get(&channel) {
            spool.push(item);
        }
    }

    /// Hands over what starts the channel's work. It is answered at once, for russh keeps only
    /// whether the last request wants an answer; what goes wrong is said on standard error.
    fn start(&self, channel: ChannelId, start: Start, session: &mut server::Session) -> Result<(), russh::Error> {
        if start.statement().len() > MAX_STATEMENT || !self.spools.contains_key(&channel) {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        self.give(channel, FromClient::Start(start));
        Ok(())
    }

    /// Refuses to carry others' connections, and records that.
    fn turn_away(&self, forward: &Forward) {
        let Some(connection) = &self.connection else { return };
        let (effects, statement) = (classify::forward(forward), forward.statement());
        let operation = Operation {
            kind: "forward",
            statement: statement.as_bytes(),
            parameters: Parameters::default(),
            effects: &effects,
            account: &connection.user,
            in_transaction: false,
            carries: Tags::NONE,
        };
        let _ = connection.session.refuse(&operation, "this gate does not carry forwarded connections");
    }
}

impl server::Handler for ClientSide {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, russh::Error> {
        match self.proof.take() {
            Some(proof) => Ok(self.log_in_with(user, proof).await),
            None => Ok(Auth::reject()),
        }
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(self.log_in(user, password).await)
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut response) = response else {
            return Ok(Auth::Partial {
                name: Cow::Borrowed("Portcullis"),
                instructions: Cow::Borrowed("Log in with a token whose audience is this gate."),
                prompts: Cow::Borrowed(&[(Cow::Borrowed("Token as password: "), false)]),
            });
        };
        let token = response.next().unwrap_or_default();
        match std::str::from_utf8(&token) {
            Ok(token) => Ok(self.log_in(user, token).await),
            Err(_) => Ok(self.log_in(user, "").await),
        }
    }

    async fn auth_succeeded(&mut self, session: &mut server::Session) -> Result<(), russh::Error> {
        if let Some(refusal) = &self.refused {
            let told = [Some(refusal.message()), refusal.detail()].into_iter().flatten().collect::<Vec<_>>().join(": ");
            session.disconnect(Disconnect::ByApplication, &told, "")?;
            return Ok(());
        }
        if let (Some(connection), Some(logged_in)) = (&self.connection, self.logged_in.take()) {
            let _ = logged_in.send(Arc::clone(connection));
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.spools.retain(|_, spool| !spool.is_ended());
        if self.spools.len() >= MAX_CHANNELS || self.connection.is_none() {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let spool = Spool::new(&self.pressure);
        // What the client sends comes by the callbacks; the other way to get it would stall them.
        let (_reader, writer) = channel.split();
        let id = writer.id();
        self.spools.insert(id, Arc::clone(&spool));
        reply.accept().await;
        let pressure = Arc::clone(&self.pressure);
        let _ = self.opened.send(NewChannel { id, writer, handle: session.handle(), spool, pressure });
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.turn_away(&Forward::Local(host.to_owned(), port));
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.turn_away(&Forward::LocalSocket(path.to_owned()));
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        _session: &mut server::Session,
    ) -> Result<bool, russh::Error> {
        self.turn_away(&Forward::Remote(address.to_owned(), *port));
        Ok(false)
    }

    async fn streamlocal_forward(&mut self, path: &str, _session: &mut server::Session) -> Result<bool, russh::Error> {
        self.turn_away(&Forward::RemoteSocket(path.to_owned()));
        Ok(false)
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        _session: &mut server::Session,
    ) -> Result<bool, russh::Error> {
        self.turn_away(&Forward::Agent);
        Ok(false)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.turn_away(&Forward::X11);
        session.channel_failure(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        if term.len() > MAX_TEXT {
            return session.channel_failure(channel);
        }
        let size = [columns, rows, width, height];
        let modes = modes.to_vec();
        self.give(channel, FromClient::Terminal(Terminal { term: term.to_owned(), size, modes }));
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        let passes = (name == "LANG" || name.starts_with("LC_")) && name.len() + value.len() <= MAX_TEXT;
        if !passes {
            return session.channel_failure(channel);
        }
        self.give(channel, FromClient::Env(name.to_owned(), value.to_owned()));
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut server::Session) -> Result<(), russh::Error> {
        self.start(channel, Start::Shell, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, Start::Exec(command.to_vec()), session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.start(channel, Start::Subsystem(name.to_owned()), session)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.give(channel, FromClient::Size([columns, rows, width, height]));
        session.channel_success(channel)
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.give(channel, FromClient::Signal(signal));
        session.channel_success(channel)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut server::Session,
    ) -> Result<(), russh::Error> {
        self.give(channel, FromClient::Data(bytes::Bytes::copy_from_slice(data)));
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut server::Session) -> Result<(), russh::Error> {
        self.give(channel, FromClient::Eof);
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut server::Session) -> Result<(), russh::Error> {
        self.give(channel, FromClient::Close);
        self.spools.remove(&channel);
        Ok(())
    }
}
