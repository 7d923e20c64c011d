//! The protocols of this build: the one place that names them all. A protocol is a feature and a
//! line here.

use std::net::SocketAddr;

use portcullis_core::vocabulary::Vocabulary;
use portcullis_runtime::server::Kind;

/// Every protocol that this build serves.
pub(crate) fn all() -> Vec<Kind> {
    vec![
        #[cfg(feature = "postgres")]
        Kind::of::<portcullis_postgres::Postgres>(),
        #[cfg(feature = "ssh")]
        Kind::of::<portcullis_ssh::Ssh>(),
    ]
}

/// The words that they and the control plane add to the policy language, each family once.
pub(crate) fn vocabularies() -> Vec<&'static Vocabulary> {
    let mut families: Vec<&'static Vocabulary> = all().iter().map(Kind::vocabulary).collect();
    families.push(portcullis_control::vocabulary::VOCABULARY);
    families.sort_by_key(|vocabulary| vocabulary.family);
    families.dedup_by_key(|vocabulary| vocabulary.family);
    families
}

/// How the usual client of a protocol gets to an address, where there is one client that is usual.
pub(crate) fn usual_client(protocol: &str, address: SocketAddr) -> Option<String> {
    let (host, port) = (address.ip(), address.port());
    match protocol {
        "postgres" => Some(format!("psql \"host={host} port={port} dbname=postgres\"")),
        "ssh" => Some(format!("ssh -p {port} LOGIN@{host}")),
        _ => None,
    }
}
