//! HAProxy in TCP mode in front of one address, with or without TLS towards clients.
//!
//! It compares: HAProxy knows nothing of the protocols that it carries.

use std::fs;
use std::net::TcpStream;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Account, Certificates, Process, free_port, need};

/// A running HAProxy. Dropping it stops it.
#[derive(Debug)]
pub struct Haproxy {
    process: Process,
    _folder: TempDir,
    port: u16,
}

impl Haproxy {
    /// Carries bytes to `address`. With `tls`, clients speak TLS from the first byte.
    pub fn start(address: &str, tls: Option<&Certificates>) -> anyhow::Result<Self> {
        let program = need("/usr/sbin/haproxy", "bench")?;
        let folder = tempfile::Builder::new().prefix("portcullis-haproxy-").tempdir()?;
        let account = Account::for_servers()?;
        let port = free_port()?;
        let tls = match tls {
            Some(certificates) => format!(" ssl crt {} alpn postgresql", certificates.combined(account)?.display()),
            None => String::new(),
        };
        let config = folder.path().join("haproxy.cfg");
        fs::write(&config, settings(port, address, &tls))?;
        account.own(folder.path())?;
        account.own(&config)?;
        let mut command = account.command(program);
        command.arg("-db").arg("-f").arg(&config);
        let mut process = Process::start("haproxy", command, &folder.path().join("log"), Signal::TERM)?;
        process.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { process, _folder: folder, port })
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

fn settings(port: u16, address: &str, tls: &str) -> String {
    format!(
        "global\n  maxconn 4000\n  nbthread 2\n\
         defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n\
         listen postgres\n  bind 127.0.0.1:{port}{tls}\n  server target {address}\n"
    )
}
