//! A PostgreSQL client that costs next to nothing: it opens sessions, runs statements and counts
//! the bytes that come, and it can feed a COPY.
//!
//! It understands only what these need; what it does not understand is an error.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Protocol 3.0.
const VERSION: u32 = 196_608;
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// `AuthenticationCleartextPassword`.
const CLEARTEXT: [u8; 4] = [0, 0, 0, 3];
/// More than any message that these loads bring.
const LONGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// Whom to connect to, as whom.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    /// TLS, if it is to be used.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// TLS that trusts this authority.
pub(crate) fn trusting(authority: &Path) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// A session that is open.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
    body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(login: &Login) -> anyhow::Result<Self> {
        let mut tcp = TcpStream::connect(("127.0.0.1", login.port))?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &login.tls {
            None => Box::new(tcp),
            Some(config) => {
                tcp.write_all(&SSL_REQUEST)?;
                let mut answer = [0];
                tcp.read_exact(&mut answer)?;
                ensure!(answer == *b"S", "TLS is not offered");
                let tls = ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
                Box::new(StreamOwned::new(tls, tcp))
            }
        };
        let mut client = Self { stream: BufReader::with_capacity(1 << 16, stream), body: Vec::new() };
        client.log_in(login)?;
        Ok(client)
    }

    /// Runs one statement to its end and returns how many bytes came in answer. `at` is called with
    /// the count after every message.
    pub(crate) fn run(&mut self, statement: &str, mut at: impl FnMut(u64)) -> anyhow::Result<u64> {
        self.send(b'Q', &zero_ended(&[statement]))?;
        let mut bytes = 0;
        loop {
            let tag = self.receive()?;
            bytes += 5 + self.body.len() as u64;
            at(bytes);
            match tag {
                b'Z' => return Ok(bytes),
                b'E' => bail!("`{statement}` failed: {}", self.complaint()),
                _ => {}
            }
        }
    }

    /// Sends a statement that the gate holds, and returns once its client is told so.
    pub(crate) fn begin_held(&mut self, statement: &str) -> anyhow::Result<()> {
        self.send(b'Q', &zero_ended(&[statement]))?;
        match self.receive()? {
            b'N' => Ok(()),
            tag => bail!("`{}` is no notice that the statement waits: {}", char::from(tag), self.complaint()),
        }
    }

    /// Runs a COPY FROM STDIN that is fed `times` times with `rows`.
    pub(crate) fn feed(&mut self, statement: &str, rows: &[u8], times: usize) -> anyhow::Result<()> {
        self.send(b'Q', &zero_ended(&[statement]))?;
        match self.receive()? {
            b'G' => {}
            b'E' => bail!("`{statement}` failed: {}", self.complaint()),
            tag => bail!("`{statement}` was answered with `{}`", char::from(tag)),
        }
        for _ in 0..times {
            self.send(b'd', rows)?;
        }
        self.send(b'c', &[])?;
        loop {
            match self.receive()? {
                b'Z' => return Ok(()),
                b'E' => bail!("`{statement}` failed: {}", self.complaint()),
                _ => {}
            }
        }
    }

    fn log_in(&mut self, login: &Login) -> anyhow::Result<()> {
        let mut body = VERSION.to_be_bytes().to_vec();
        body.extend(zero_ended(&["user", &login.user, "database", &login.database, ""]));
        let length = u32::try_from(body.len() + 4)?.to_be_bytes();
        self.write(&[&length, body.as_slice()].concat())?;
        loop {
            match self.receive()? {
                b'R' if self.body == CLEARTEXT => self.send(b'p', &zero_ended(&[&login.password]))?,
                b'R' => ensure!(self.body == [0; 4], "another kind of login is asked for: {:?}", self.body),
                b'E' => bail!("the login failed: {}", self.complaint()),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    fn send(&mut self, tag: u8, body: &[u8]) -> anyhow::Result<()> {
        let length = u32::try_from(body.len() + 4)?.to_be_bytes();
        self.write(&[&[tag], length.as_slice(), body].concat())
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()?;
        Ok(())
    }

    /// Reads one message into `body` and returns its type.
    fn receive(&mut self) -> anyhow::Result<u8> {
        let mut tag = [0];
        self.stream.read_exact(&mut tag).context("the session ended")?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length))?.checked_sub(4).context("a length below 4")?;
        ensure!(length <= LONGEST, "a message of {length} bytes");
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        let [tag] = tag;
        Ok(tag)
    }

    fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.body).replace('\0', " ")
    }
}

fn zero_ended(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| text.bytes().chain([0])).collect()
}
