//! Reading and writing single messages before the relay begins. Nothing is read beyond the message
//! that is asked for, so nothing can be carried from one phase into the next.

use portcullis_core::protocol::ServeError;
use portcullis_core::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::frame::{HEADER, peek};

/// A message: its type and body.
pub(super) struct Packet {
    pub(super) tag: u8,
    pub(super) body: Vec<u8>,
}

/// Reads one message from the target, of at most `limit` bytes.
pub(super) async fn from_target(stream: &mut BoxStream, limit: usize) -> Result<Packet, ServeError> {
    read(stream, limit).await.map_err(|why| match why {
        Unread::Io(why) => ServeError::TargetIo(why),
        Unread::Bad(why) => ServeError::Target(why),
    })
}

/// Reads one message from the client, of at most `limit` bytes.
pub(super) async fn from_client(stream: &mut BoxStream, limit: usize) -> Result<Packet, ServeError> {
    read(stream, limit).await.map_err(|why| match why {
        Unread::Io(why) => ServeError::ClientIo(why),
        Unread::Bad(why) => ServeError::Client(why),
    })
}

enum Unread {
    Io(std::io::Error),
    Bad(String),
}

async fn read(stream: &mut BoxStream, limit: usize) -> Result<Packet, Unread> {
    let mut start = [0; HEADER];
    stream.read_exact(&mut start).await.map_err(Unread::Io)?;
    let header = peek(&start, |_| limit).map_err(|why| Unread::Bad(why.to_string()))?;
    let header = header.ok_or_else(|| Unread::Bad("a message without a header".into()))?;
    let mut body = vec![0; header.body()];
    stream.read_exact(&mut body).await.map_err(Unread::Io)?;
    Ok(Packet { tag: header.tag, body })
}

/// Writes and flushes.
pub(super) async fn send(stream: &mut BoxStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
