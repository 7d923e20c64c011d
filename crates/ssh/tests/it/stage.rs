//! A gate on a socket, in front of a real `sshd`, for real clients.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::protocol::{Client, Protocol};
use portcullis_core::secret::SecretRef;
use portcullis_core::stream::BoxStream;
use portcullis_ssh::{Config, Login, Ssh};
use portcullis_testkit::fakes::{FakeConnector, FakeGate};
use portcullis_testkit::servers::{Process, free_port, need};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted;

/// OpenSSH's server, with a certificate authority for hosts and one for users.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
    process: Process,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        let sshd = need("/usr/sbin/sshd", "ssh").unwrap();
        // The server's own folder for the process that has no privileges; it refuses to run without.
        fs::create_dir_all("/run/sshd").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        secret(&at("host"), &scripted::pem(1));
        fs::write(at("users.pub"), scripted::public(4)).unwrap();
        let port = free_port().unwrap();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nTrustedUserCAKeys {}\nPidFile none\nStrictModes no\n\
             LogLevel VERBOSE\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nUsePAM no\n\
             MaxStartups 100\nAcceptEnv LANG LC_*\n",
            at("host").display(),
            at("users.pub").display(),
        );
        fs::write(at("config"), config).unwrap();
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f"]).arg(at("config"));
        let mut process = Process::start("sshd", command, &at("log"), rustix::process::Signal::TERM).unwrap();
        process.wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
        Self { port, folder, process }
    }

    /// What the server wrote so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A gate that listens.
pub(crate) struct Stage {
    pub(crate) gate: FakeGate,
    pub(crate) sshd: Sshd,
    pub(crate) port: u16,
}

impl Stage {
    /// A gate in front of a server of its own, by certificates of the gate's own authority.
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut FakeGate, &mut Config)) -> Self {
        let sshd = Sshd::start();
        let file = |name: &str, number: u8| {
            let path: PathBuf = sshd.folder.path().join(name);
            secret(&path, &scripted::pem(number));
            SecretRef::File(path)
        };
        let mut config = Config {
            host_key: file("gate", 2),
            logins: vec![Login {
                user: "root".into(),
                authority: Some(file("authority", 4)),
                key: None,
                password: None,
            }],
            target_keys: vec![scripted::public(1)],
            target_authorities: vec![],
            target_host: None,
        };
        let target = sshd.port;
        let mut gate = FakeGate::new(FakeConnector::new(move |stream| bridge(stream, target)));
        change(&mut gate, &mut config);
        let ssh = Arc::new(Ssh::new(config).unwrap());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pipeline = gate.gate::<Ssh>();
        tokio::spawn(async move {
            while let Ok((stream, address)) = listener.accept().await {
                let (ssh, pipeline) = (Arc::clone(&ssh), pipeline.clone());
                let client = Client {
                    stream: Box::new(stream),
                    address,
                    tls: None,
                    plaintext_login: true,
                    login_deadline: std::time::Duration::from_secs(10),
                    proof: None,
                };
                tokio::spawn(async move { ssh.serve(client, pipeline).await });
            }
        });
        Self { gate, sshd, port }
    }

    /// A client's program, run to its end in a shell. `$P` is the gate's port, `$O` what every
    /// OpenSSH client needs to find it, `$D` a folder, and the password is the good token.
    pub(crate) async fn shell(&self, script: &str) -> Ran {
        let folder = self.sshd.folder.path().display().to_string();
        let known = format!("[127.0.0.1]:{} {}\n", self.port, scripted::public(2));
        fs::write(format!("{folder}/known"), known).unwrap();
        let options = format!(
            "-o UserKnownHostsFile={folder}/known -o StrictHostKeyChecking=yes -o PubkeyAuthentication=no -F none"
        );
        let mut command = tokio::process::Command::new("bash");
        command.arg("-c").arg(script).kill_on_drop(true).stdin(std::process::Stdio::null());
        command
            .env("P", self.port.to_string())
            .env("O", options)
            .env("D", folder)
            .env("SSHPASS", portcullis_testkit::fakes::TOKEN);
        let output = tokio::time::timeout(std::time::Duration::from_secs(50), command.output()).await;
        let output = output.expect("the client ends in time").unwrap();
        Ran {
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code(),
        }
    }

    /// A command by OpenSSH's client.
    pub(crate) async fn ssh(&self, arguments: &str) -> Ran {
        self.shell(&format!("sshpass -e ssh $O -p $P root@127.0.0.1 {arguments}")).await
    }
}

/// How a client's program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
    pub(crate) status: Option<i32>,
}

fn bridge(mut stream: BoxStream, port: u16) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let mut target = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
    })
}
