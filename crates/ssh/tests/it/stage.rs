//! A gate on a socket, in front of a real `sshd`, for real clients.

use std::fs;
use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::identity::Proof;
use portcullis_core::protocol::{Client, Protocol};
use portcullis_core::secret::{Secret, SecretRef};
use portcullis_core::stream::BoxStream;
use portcullis_ssh::{Config, Login, Ssh};
use portcullis_testkit::fakes::{FakeConnector, FakeGate};
use portcullis_testkit::servers::OpenSsh;
use tokio::net::{TcpListener, TcpStream};

use crate::scripted;

/// A gate that listens.
pub(crate) struct Stage {
    pub(crate) gate: FakeGate,
    pub(crate) sshd: OpenSsh,
    pub(crate) port: u16,
}

impl Stage {
    /// A gate in front of a server of its own, by certificates of the gate's own authority.
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut FakeGate, &mut Config)) -> Self {
        Self::open(change, None).await
    }

    /// One whose clients come through the gate's own tunnel, where they have shown this token.
    pub(crate) async fn proven(token: &'static str) -> Self {
        Self::open(|_, _| (), Some(token)).await
    }

    async fn open(change: impl FnOnce(&mut FakeGate, &mut Config), token: Option<&'static str>) -> Self {
        let sshd = OpenSsh::start(&scripted::pem(1), &scripted::public(4)).unwrap();
        let file = |name: &str, number: u8| {
            SecretRef::File(OpenSsh::keep(sshd.folder(), name, &scripted::pem(number)).unwrap())
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
        let target = sshd.port();
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
                    proof: token.map(|token| Proof::Bearer(Secret::new(token.to_owned()))),
                };
                tokio::spawn(async move { ssh.serve(client, pipeline).await });
            }
        });
        Self { gate, sshd, port }
    }

    /// A client's program, run to its end in a shell. `$P` is the gate's port, `$O` what every
    /// OpenSSH client needs to find it, `$D` a folder, and the password is the good token.
    pub(crate) async fn shell(&self, script: &str) -> Ran {
        let folder = self.sshd.folder().display().to_string();
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
