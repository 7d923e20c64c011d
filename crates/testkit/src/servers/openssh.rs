//! OpenSSH's server on loopback, which trusts one authority for its users.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Process, free_port, need};

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct OpenSsh {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl OpenSsh {
    /// Starts a server with this private host key, whose users show certificates of this authority.
    pub fn start(host_key: &str, authority: &str) -> anyhow::Result<Self> {
        let sshd = need("/usr/sbin/sshd", "ssh")?;
        // The server's own folder for the process that has no privileges; it refuses to run without.
        fs::create_dir_all("/run/sshd")?;
        let folder = tempfile::Builder::new().prefix("portcullis-ssh-").tempdir()?;
        let host = Self::keep(folder.path(), "host", host_key)?;
        let users = Self::keep(folder.path(), "users.pub", authority)?;
        let port = free_port()?;
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nTrustedUserCAKeys {}\nPidFile none\nStrictModes no\n\
             LogLevel VERBOSE\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nUsePAM no\n\
             MaxStartups 100\nAcceptEnv LANG LC_*\n",
            host.display(),
            users.display(),
        );
        let config = Self::keep(folder.path(), "config", &config)?;
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f"]).arg(config);
        let mut process = Process::start("sshd", command, &folder.path().join("log"), Signal::TERM)?;
        process.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { process, folder, port })
    }

    /// Writes a file that its owner alone reads, as OpenSSH demands of keys.
    pub fn keep(folder: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A folder that goes when it goes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the server wrote so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
