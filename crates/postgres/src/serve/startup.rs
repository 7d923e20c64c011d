//! The first packets: encryption requests in a loop, cancel, startup.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use pgwire::messages::startup::NegotiateProtocolVersion;
use portcullis_core::identity::Proof;
use portcullis_core::protocol::{Client, ServeError};
use portcullis_core::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::Failed;
use super::packets::send;
use crate::classify;
use crate::wire::startup::{First, Startup, TLS_HANDSHAKE, first, length};
use crate::wire::write::{self, Report};

/// The application protocol of direct TLS (PostgreSQL manual, "SSL Session Encryption").
const ALPN: &[&[u8]] = &[b"postgresql"];

/// The newest minor version of protocol 3 that the gate speaks.
const NEWEST_MINOR: u16 = 2;

/// How a connection begins.
pub(super) enum Begun {
    /// `encrypted`: by TLS of its own, or by the gate's tunnel, which proves who it is besides.
    Session {
        stream: BoxStream,
        startup: Startup,
        encrypted: bool,
        proof: Option<Proof>,
    },
    Cancel {
        stream: BoxStream,
        process: u32,
        key: Vec<u8>,
    },
}

/// Reads first packets until the client says what it wants.
pub(super) async fn begin(client: Client) -> Result<Begun, ServeError> {
    let Client { mut stream, tls: acceptor, proof, .. } = client;
    let (mut encrypted, mut gss_refused) = (false, false);
    loop {
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix).await.map_err(ServeError::ClientIo)?;
        if prefix.first() == Some(&TLS_HANDSHAKE) && !encrypted {
            let acceptor = acceptor
                .as_ref()
                .ok_or_else(|| ServeError::Client("it wants TLS, which this listener has not".into()))?;
            let replayed = Box::new(Replayed { prefix, read: 0, stream });
            stream = acceptor.accept(replayed, ALPN, true).await.map_err(ServeError::ClientIo)?;
            encrypted = true;
            continue;
        }
        match read_first(&mut stream, prefix).await? {
            First::Cancel { process, key } => return Ok(Begun::Cancel { stream, process, key }),
            First::Startup(startup) => {
                let encrypted = encrypted || proof.is_some();
                return Ok(Begun::Session { stream, startup, encrypted, proof });
            }
            // GSSAPI encryption would blind the gate; an error would make pgjdbc connect anew.
            First::GssEnc if !gss_refused && !encrypted => {
                gss_refused = true;
                send(&mut stream, b"N").await.map_err(ServeError::ClientIo)?;
            }
            First::Ssl if !encrypted => match &acceptor {
                None => send(&mut stream, b"N").await.map_err(ServeError::ClientIo)?,
                Some(acceptor) => {
                    send(&mut stream, b"S").await.map_err(ServeError::ClientIo)?;
                    // Not a byte behind the request was read, so all that follows is TLS or fails.
                    stream = acceptor.accept(stream, ALPN, false).await.map_err(ServeError::ClientIo)?;
                    encrypted = true;
                }
            },
            First::Ssl | First::GssEnc => return Err(ServeError::Client("it asked for encryption twice".into())),
        }
    }
}

async fn read_first(stream: &mut BoxStream, prefix: [u8; 4]) -> Result<First, ServeError> {
    let wrong = |why: crate::wire::WireError| ServeError::Client(why.to_string());
    let mut body = vec![0; length(prefix).map_err(wrong)?];
    stream.read_exact(&mut body).await.map_err(ServeError::ClientIo)?;
    first(&body).map_err(wrong)
}

/// Refuses startup parameters that the gate cannot read statements under.
pub(super) fn check(startup: &Startup) -> Result<(), Failed> {
    let refuse = |code, message: String| {
        let why = ServeError::Client(message.clone());
        Err(Failed::Tell(Report { code, message, ..Report::default() }, why))
    };
    if startup.user().is_empty() {
        return refuse("28000", "no user name is given in the startup packet".into());
    }
    if let Some(encoding) = startup.get("client_encoding").filter(|name| !classify::encoding_is_safe(name)) {
        return refuse("0A000", format!("the client encoding `{encoding}` is not supported by this gate; use UTF8"));
    }
    let lexing = |text: &str| text.to_ascii_lowercase().replace('-', "_").contains("standard_conforming_strings");
    if startup.parameters.iter().any(|(name, value)| lexing(name) || (name == "options" && lexing(value))) {
        return refuse("0A000", "standard_conforming_strings cannot be set at startup through this gate".into());
    }
    Ok(())
}

/// Tells a client that asks for more than the gate speaks what it will get.
pub(super) async fn negotiate(stream: &mut BoxStream, startup: &Startup) -> Result<(), Failed> {
    let unknown: Vec<String> =
        startup.parameters.iter().map(|(name, _)| name).filter(|name| name.starts_with("_pq_.")).cloned().collect();
    if startup.minor <= NEWEST_MINOR && unknown.is_empty() {
        return Ok(());
    }
    let mut out = BytesMut::new();
    // PostgreSQL and libpq exchange the whole version here, not the minor one alone.
    let version = (3 << 16) | i32::from(startup.minor.min(NEWEST_MINOR));
    write::message(&mut out, &NegotiateProtocolVersion::new(version, unknown));
    send(stream, &out).await.map_err(ServeError::ClientIo)?;
    Ok(())
}

/// A stream whose first four bytes have been read already.
struct Replayed {
    prefix: [u8; 4],
    read: usize,
    stream: BoxStream,
}

impl AsyncRead for Replayed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let left = self.prefix.get(self.read..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let taken = left.len().min(buf.remaining());
        buf.put_slice(left.get(..taken).unwrap_or_default());
        self.read = self.read.saturating_add(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
