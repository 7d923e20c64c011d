//! Both legs against each other, over a pipe in memory.

use std::path::Path;

use portcullis_core::stream::{Acceptor, BoxStream, Connector, Secured};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ClientLeg, TargetLeg};
use crate::config::{Address, ClientTls, Target, TargetTls};

const ALPN: &[&[u8]] = &[b"postgresql"];

/// Writes a certificate for `name` that vouches for itself, and its key.
fn certify(folder: &Path, name: &str) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    std::fs::write(folder.join("gate.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("gate.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().to_vec()
}

fn clients(folder: &Path) -> ClientLeg {
    ClientLeg::new(ClientTls { certificate: folder.join("gate.crt"), key: folder.join("gate.key") }).unwrap()
}

/// A leg that trusts the certificate in `folder` for the host `db.test`.
fn target(folder: &Path, server_name: Option<&str>) -> TargetLeg {
    TargetLeg::new(&Target {
        name: "t".into(),
        protocol: "p".into(),
        listen: ([127, 0, 0, 1], 1).into(),
        address: Address { host: "db.test".into(), port: 1 },
        labels: std::collections::BTreeMap::new(),
        tls: TargetTls {
            ca: Some(folder.join("gate.crt")),
            server_name: server_name.map(str::to_owned),
            ..TargetTls::default()
        },
        recording: crate::recording::TargetRecording::default(),
        plaintext_login: false,
    })
    .unwrap()
}

async fn shake(
    clients: &ClientLeg,
    target: &TargetLeg,
    offered: &'static [&'static [u8]],
    require: bool,
) -> (std::io::Result<BoxStream>, std::io::Result<Secured>) {
    let (near, far) = tokio::io::duplex(64 << 10);
    tokio::join!(clients.accept(Box::new(near), ALPN, require), target.start_tls(Box::new(far), offered))
}

#[tokio::test]
async fn bytes_pass_and_the_certificate_is_known_for_channel_binding() {
    let folder = TempDir::new().unwrap();
    let certificate = certify(folder.path(), "db.test");
    let (near, far) = shake(&clients(folder.path()), &target(folder.path(), None), ALPN, true).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    assert_eq!(far.certificate, Some(certificate));
    far.stream.write_all(b"hello").await.unwrap();
    far.stream.flush().await.unwrap();
    let mut got = [0; 5];
    near.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"hello");
}

#[tokio::test]
async fn direct_tls_needs_its_application_protocol() {
    let folder = TempDir::new().unwrap();
    certify(folder.path(), "db.test");
    let (clients, target) = (clients(folder.path()), target(folder.path(), None));
    assert!(shake(&clients, &target, &[], true).await.0.is_err());
    assert!(shake(&clients, &target, &[], false).await.0.is_ok());
}

#[tokio::test]
async fn a_target_must_carry_its_name_and_be_vouched_for() {
    let (ours, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    certify(ours.path(), "db.test");
    certify(other.path(), "db.test");
    let gate = clients(ours.path());
    assert!(shake(&gate, &target(ours.path(), Some("elsewhere.test")), ALPN, false).await.1.is_err());
    assert!(shake(&gate, &target(other.path(), None), ALPN, false).await.1.is_err());
    assert!(shake(&gate, &target(ours.path(), Some("db.test")), ALPN, false).await.1.is_ok());
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_broken_one_is_not() {
    let folder = TempDir::new().unwrap();
    let first = certify(folder.path(), "db.test");
    let gate = clients(folder.path());
    assert!(!gate.look());

    let second = certify(folder.path(), "db.test");
    assert!(gate.look());
    let shown = shake(&gate, &target(folder.path(), None), ALPN, false).await.1.unwrap().certificate.unwrap();
    assert_ne!(first, second);
    assert_eq!(shown, second);

    let trusting = target(folder.path(), None);
    std::fs::write(folder.path().join("gate.key"), "half a k").unwrap();
    assert!(!gate.look());
    assert!(shake(&gate, &trusting, ALPN, false).await.1.is_ok());
}

#[test]
fn a_certificate_and_another_ones_key_are_refused_by_name() {
    let (ours, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    certify(ours.path(), "db.test");
    certify(other.path(), "db.test");
    let files = ClientTls { certificate: ours.path().join("gate.crt"), key: other.path().join("gate.key") };
    let why = ClientLeg::new(files).err().unwrap().to_string();
    assert!(why.contains("gate.crt") && why.contains("gate.key") && why.contains("cannot be used together"), "{why}");
}
