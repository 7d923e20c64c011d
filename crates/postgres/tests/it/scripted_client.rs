//! A client that speaks the wire protocol by hand, for tests that need exact bytes.

use portcullis_core::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A message.
pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// A startup packet.
pub(crate) fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    startup_of(196_608, parameters)
}

/// A startup packet of a protocol version.
pub(crate) fn startup_of(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).expect("a short packet");
    [&length.to_be_bytes()[..], &body].concat()
}

pub(crate) fn parse(name: &str, text: &str) -> Vec<u8> {
    frame(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

/// A Bind without values.
pub(crate) fn bind(portal: &str, statement: &str) -> Vec<u8> {
    frame(b'B', format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes())
}

/// An Execute without a row limit.
pub(crate) fn execute(portal: &str) -> Vec<u8> {
    frame(b'E', format!("{portal}\0\0\0\0\0").as_bytes())
}

pub(crate) fn sync() -> Vec<u8> {
    frame(b'S', b"")
}

/// Parse, Bind, Execute and Sync of a statement without parameters.
pub(crate) fn extended(text: &str) -> Vec<u8> {
    [parse("", text), bind("", ""), execute(""), sync()].concat()
}

/// What came back: all bytes, the first error's message with detail, and whether it ended.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) tags: Vec<u8>,
    pub(crate) error: Option<String>,
    pub(crate) closed: bool,
}

/// A logged-in client.
pub(crate) struct Client {
    stream: BoxStream,
    /// Process id and secret key, as `BackendKeyData` says them.
    pub(crate) key: Vec<u8>,
}

impl Client {
    /// Logs in with the token as password, where one is asked for.
    pub(crate) async fn log_in(stream: BoxStream, token: &str) -> Result<Self, String> {
        Self::log_in_with(stream, token, &[("user", "somebody"), ("database", "shop")]).await
    }

    pub(crate) async fn log_in_with(
        stream: BoxStream,
        token: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Self, String> {
        Self::start(stream, &startup(parameters), token).await
    }

    /// Logs in with this startup packet.
    pub(crate) async fn start(stream: BoxStream, startup: &[u8], token: &str) -> Result<Self, String> {
        let mut client = Self { stream, key: Vec::new() };
        client.send(startup).await;
        let mut reply = Reply::default();
        loop {
            let Some((tag, body)) = client.message(&mut reply).await else {
                return Err(reply.error.unwrap_or_else(|| "closed".into()));
            };
            match (tag, body.get(..4)) {
                (b'R', Some([0, 0, 0, 3])) => client.send(&frame(b'p', format!("{token}\0").as_bytes())).await,
                (b'K', _) => client.key = body,
                (b'Z', _) => return Ok(client),
                _ => {}
            }
        }
    }

    /// Sends bytes; a closed connection shows when it is read.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    pub(crate) async fn finish_sending(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads up to the next `ReadyForQuery`.
    pub(crate) async fn until_ready(&mut self) -> Reply {
        self.until(|tag| tag == b'Z').await
    }

    /// Reads one message, header and all.
    pub(crate) async fn one(&mut self) -> Option<Vec<u8>> {
        let mut reply = Reply::default();
        self.message(&mut reply).await.map(|(tag, body)| frame(tag, &body))
    }

    /// Reads up to the first row.
    pub(crate) async fn first_row(&mut self) -> Reply {
        self.until(|tag| tag == b'D').await
    }

    /// Reads to the end.
    pub(crate) async fn until_closed(&mut self) -> Reply {
        self.until(|_| false).await
    }

    async fn until(&mut self, last: impl Fn(u8) -> bool) -> Reply {
        let mut reply = Reply::default();
        loop {
            match self.message(&mut reply).await {
                None => return Reply { closed: true, ..reply },
                Some((tag, _)) if last(tag) => return reply,
                Some(_) => {}
            }
        }
    }

    async fn message(&mut self, reply: &mut Reply) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 5];
        self.stream.read_exact(&mut header).await.ok()?;
        let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body).await.ok()?;
        // A stream without end is not kept.
        if reply.bytes.len() < 1 << 20 || header[0] != b'D' {
            reply.bytes.extend_from_slice(&header);
            reply.bytes.extend_from_slice(&body);
            reply.tags.push(header[0]);
        }
        if header[0] == b'E' && reply.error.is_none() {
            reply.error = Some(String::from_utf8_lossy(&body).replace('\0', "\n"));
        }
        Some((header[0], body))
    }
}
