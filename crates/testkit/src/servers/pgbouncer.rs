//! PgBouncer with session pooling in front of one PostgreSQL, plain or TLS towards clients.

use std::fs;
use std::net::TcpStream;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Account, Postgres, Process, free_port, need};

/// How clients reach PgBouncer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientLeg {
    /// Without TLS.
    Plain,
    /// With TLS required.
    Tls,
}

/// A running PgBouncer. Dropping it stops it.
#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    _folder: TempDir,
    port: u16,
}

impl PgBouncer {
    /// Pools sessions of `postgres` for its user `app`, with its certificate. The leg to
    /// PostgreSQL is plain.
    pub fn start(postgres: &Postgres, leg: ClientLeg) -> anyhow::Result<Self> {
        let program = need("/usr/sbin/pgbouncer", "bench")?;
        let account = Account::for_servers()?;
        let folder = tempfile::Builder::new().prefix("portcullis-bouncer-").tempdir()?;
        let port = free_port()?;
        let users = folder.path().join("users");
        fs::write(&users, format!("\"{}\" \"{}\"\n", Postgres::USER, Postgres::PASSWORD))?;
        let config = folder.path().join("pgbouncer.ini");
        let tls = match leg {
            ClientLeg::Plain => String::new(),
            ClientLeg::Tls => {
                let (key, certificate) = (postgres.certificates().key(), postgres.certificates().certificate());
                format!(
                    "client_tls_sslmode = require\nclient_tls_key_file = {}\nclient_tls_cert_file = {}\n",
                    key.display(),
                    certificate.display()
                )
            }
        };
        fs::write(&config, settings(postgres, port, &users.display().to_string(), &tls))?;
        for path in [folder.path(), &users, &config] {
            account.own(path)?;
        }
        let mut command = account.command(program);
        command.arg(&config);
        let mut process = Process::start("pgbouncer", command, &folder.path().join("log"), Signal::INT)?;
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

fn settings(postgres: &Postgres, port: u16, users: &str, tls: &str) -> String {
    format!(
        "[databases]\n{} = host=127.0.0.1 port={}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = scram-sha-256\nauth_file = {users}\npool_mode = session\nmax_client_conn = 4000\n\
         default_pool_size = 80\nserver_tls_sslmode = disable\nlog_connections = 0\nlog_disconnections = 0\n\
         ignore_startup_parameters = extra_float_digits\n{tls}",
        Postgres::DATABASE,
        postgres.port(),
    )
}
