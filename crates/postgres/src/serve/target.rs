//! Logging in at the target: TLS, authentication, and what the target says of itself.

mod auth;
mod end;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::{Authentication, BackendKeyData, SecretKey, SslRequest, Startup as StartupMessage};
use portcullis_core::gate::TargetSpec;
use portcullis_core::guarded::Guarded;
use portcullis_core::permit::Permit;
use portcullis_core::protocol::ServeError;
use portcullis_core::stream::{BoxStream, Connector, TlsMode};
use tokio::io::AsyncReadExt;

pub(super) use self::end::TargetEnd;
use super::Failed;
use super::packets::{Packet, from_target, send};
use crate::cancel::CancelKey;
use crate::config::Login;
use crate::wire::body::Body;
use crate::wire::error;
use crate::wire::rows::Values;
use crate::wire::startup::Startup;
use crate::wire::write;

/// The longest message that a target may send during login.
const MAX_GREETING: usize = 1 << 20;

/// The most messages that a target may send during login.
const MAX_GREETINGS: usize = 1_000;

/// What the target says of itself at login.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    /// `ParameterStatus` and `NoticeResponse` frames, as they came.
    frames: BytesMut,
    /// The parameters among them.
    pub(crate) parameters: Vec<(String, String)>,
    /// Process and key that cancel what this connection runs.
    pub(crate) key: Option<(u32, Bytes)>,
    /// The schemas that unqualified names are looked for in.
    pub(crate) path: Vec<String>,
}

/// A connection that is logged in, ready for the relay.
pub(crate) struct TargetLogin {
    pub(crate) target: Guarded<TargetEnd>,
    pub(crate) greeting: Greeting,
}

impl TargetLogin {
    /// Tells the client that it is in, with the target's own parameters and the gate's own key.
    pub(super) async fn welcome(
        mut target: Guarded<TargetEnd>,
        connection: &Permit,
        client: &mut BoxStream,
        key: &CancelKey,
    ) -> Result<Self, Failed> {
        let greeting = target.lend(connection).map_err(Failed::Refused)?.take_greeting();
        let mut out = BytesMut::new();
        write::message(&mut out, &Authentication::Ok);
        out.extend_from_slice(&greeting.frames);
        let secret = SecretKey::Bytes(Bytes::copy_from_slice(&key.key));
        write::message(&mut out, &BackendKeyData::new(key.process.cast_signed(), secret));
        out.extend_from_slice(b"Z\0\0\0\x05I");
        send(client, &out).await.map_err(ServeError::ClientIo)?;
        Ok(Self { target, greeting })
    }
}

/// Connects and logs in, and asks for the search path. Where the target refuses for a reason that
/// the client has a right to know, its error is left in `said`.
pub(super) async fn log_in(
    spec: Arc<TargetSpec>,
    login: &Login,
    startup: &Startup,
    said: &mut BytesMut,
) -> Result<TargetEnd, ServeError> {
    let (mut stream, certificate) = connect(spec.connector.as_ref()).await?;
    let mut out = BytesMut::new();
    write::message(&mut out, &startup_message(login, startup));
    send(&mut stream, &out).await.map_err(ServeError::TargetIo)?;
    auth::authenticate(&mut stream, login, certificate.as_deref(), said).await?;
    let mut greeting = Greeting::default();
    greet(&mut stream, &mut greeting, said).await?;
    greeting.path = search_path(&mut stream).await?;
    Ok(TargetEnd::new(stream, greeting))
}

/// Opens a stream to the target, inside TLS where the target's configuration does not say otherwise.
pub(super) async fn connect(connector: &dyn Connector) -> Result<(BoxStream, Option<Vec<u8>>), ServeError> {
    let mut stream = connector.connect().await.map_err(ServeError::TargetIo)?;
    match connector.tls_mode() {
        TlsMode::Disable => Ok((stream, None)),
        TlsMode::Require => {
            let mut out = BytesMut::new();
            write::message(&mut out, &SslRequest::new());
            send(&mut stream, &out).await.map_err(ServeError::TargetIo)?;
            // One byte and no more: what comes behind it belongs to TLS.
            if stream.read_u8().await.map_err(ServeError::TargetIo)? != b'S' {
                return Err(ServeError::Target("it does not offer TLS, which its configuration requires".into()));
            }
            let secured = connector.start_tls(stream, &[b"postgresql"]).await.map_err(ServeError::TargetIo)?;
            Ok((secured.stream, secured.certificate))
        }
    }
}

fn startup_message(login: &Login, startup: &Startup) -> StartupMessage {
    let mut message = StartupMessage::new();
    for (name, value) in &startup.parameters {
        if !name.starts_with("_pq_.") {
            message.parameters.insert(name.clone(), value.clone());
        }
    }
    message.parameters.insert("database".into(), startup.database().into());
    message.parameters.insert("user".into(), login.user.clone());
    message
}

/// Reads what the target says between its OK and its first `ReadyForQuery`.
async fn greet(stream: &mut BoxStream, greeting: &mut Greeting, said: &mut BytesMut) -> Result<(), ServeError> {
    for _ in 0..MAX_GREETINGS {
        let packet = from_target(stream, MAX_GREETING).await?;
        match packet.tag {
            b'S' => {
                let mut body = Body::new(b'S', &packet.body);
                let read = body.string().and_then(|name| body.string().map(|value| (name, value)));
                let (name, value) = read.map_err(|why| ServeError::Target(why.to_string()))?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                greeting.parameters.push((text(name), text(value)));
                greeting.keep(&packet);
            }
            b'N' => greeting.keep(&packet),
            b'K' => {
                let mut body = Body::new(b'K', &packet.body);
                let process = body.int().map_err(|why| ServeError::Target(why.to_string()))?;
                greeting.key = Some((process.cast_unsigned(), Bytes::copy_from_slice(body.rest())));
            }
            b'Z' => return Ok(()),
            b'E' => return Err(refused(&packet, said)),
            tag => return Err(unexpected(tag)),
        }
    }
    Err(ServeError::Target("it does not come to an end of its login".into()))
}

impl Greeting {
    fn keep(&mut self, packet: &Packet) {
        append(&mut self.frames, packet);
    }
}

fn append(frames: &mut BytesMut, packet: &Packet) {
    frames.extend_from_slice(&[packet.tag]);
    let length = u32::try_from(packet.body.len().saturating_add(4)).unwrap_or(u32::MAX);
    frames.extend_from_slice(&length.to_be_bytes());
    frames.extend_from_slice(&packet.body);
}

/// Asks for the schemas that the session's search path really means.
async fn search_path(stream: &mut BoxStream) -> Result<Vec<String>, ServeError> {
    let rows = rows(stream, "SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))").await?;
    Ok(rows.into_iter().filter_map(|row| row.into_iter().next()).collect())
}

/// Runs a query of the gate's own and reads its rows as text; NULL reads as empty.
pub(super) async fn rows(stream: &mut BoxStream, query: &str) -> Result<Vec<Vec<String>>, ServeError> {
    let mut out = BytesMut::new();
    write::message(&mut out, &Query::new(query.to_owned()));
    answer(stream, &out).await
}

/// Sends messages of which the last makes the target ready again, and reads the rows that come as text.
pub(super) async fn answer(stream: &mut BoxStream, messages: &[u8]) -> Result<Vec<Vec<String>>, ServeError> {
    send(stream, messages).await.map_err(ServeError::TargetIo)?;
    let (mut found, mut failed) = (Vec::new(), None);
    loop {
        let packet = from_target(stream, MAX_GREETING).await?;
        match packet.tag {
            b'D' if found.len() < lookup_limit() => {
                found.push(row(&packet.body).map_err(|why| ServeError::Target(why.to_string()))?);
            }
            b'D' => return Err(ServeError::Target("it answers a catalogue query with too many rows".into())),
            b'T' | b'C' | b'S' | b'N' | b'A' | b'1' | b'2' => {}
            b'Z' => return failed.map_or(Ok(found), Err),
            b'E' => failed = failed.or_else(|| Some(refused(&packet, &mut BytesMut::new()))),
            tag => return Err(unexpected(tag)),
        }
    }
}

const fn lookup_limit() -> usize {
    100_000
}

fn row(body: &[u8]) -> Result<Vec<String>, crate::wire::WireError> {
    let mut values = Values::of(body)?;
    let mut row = Vec::new();
    while values.left() > 0 {
        row.push(String::from_utf8_lossy(values.value()?.unwrap_or_default()).into_owned());
    }
    values.end().map(|()| row)
}

/// What a target said instead of yes. Its message may quote roles and databases, so it is for the
/// operator, unless it is about what the client asked for.
fn refused(packet: &Packet, said: &mut BytesMut) -> ServeError {
    match error::fields(packet.tag, &packet.body) {
        Ok(fields) => {
            if is_about_the_request(fields.code) {
                append(said, packet);
            }
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            ServeError::Target(format!("{} ({})", text(fields.message), text(fields.code)))
        }
        Err(why) => ServeError::Target(why.to_string()),
    }
}

/// Errors of a login that speak of the client's database and parameters or of the target's load,
/// and never of the gate's credentials (PostgreSQL manual, appendix "PostgreSQL Error Codes").
const fn is_about_the_request(code: &[u8]) -> bool {
    matches!(code, b"3D000" | b"22023" | b"42704" | b"53300" | b"55000" | b"57P01" | b"57P03")
}

fn unexpected(tag: u8) -> ServeError {
    ServeError::Target(format!("a message of type `{}` is not expected during login", char::from(tag).escape_default()))
}
