//! Whom the gate trusts at the other end, and the certificates that it mints for itself there.

use std::time::{Duration, SystemTime};

use portcullis_core::clock::unix_micros;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::{Algorithm, Certificate, HashAlg, PrivateKey, PublicKey};
use russh::keys::{PublicKeyOrCertificate, ssh_key};

use crate::config::Config;

/// How long a minted certificate is valid. It is used within seconds.
const VALID: Duration = Duration::from_secs(180);
/// How much earlier it begins, for clocks that are apart.
const SKEW: Duration = Duration::from_secs(60);

/// Whether the target is the one that the configuration means.
pub(crate) fn is_trusted(config: &Config, shown: &PublicKeyOrCertificate, now: SystemTime) -> bool {
    match shown {
        PublicKeyOrCertificate::PublicKey { key, .. } => {
            parsed(&config.target_keys).any(|known| known.key_data() == key.key_data())
        }
        PublicKeyOrCertificate::Certificate(certificate) => is_certified(config, certificate, now),
    }
}

fn is_certified(config: &Config, certificate: &Certificate, now: SystemTime) -> bool {
    let authorities: Vec<_> = parsed(&config.target_authorities).map(|key| key.fingerprint(HashAlg::Sha256)).collect();
    let named = config.target_host.as_ref();
    certificate.cert_type() == CertType::Host
        && named.is_some_and(|host| certificate.valid_principals().contains(host))
        // A host certificate has no critical options: one that has says what nobody here knows.
        && certificate.critical_options().is_empty()
        && certificate.validate_at(unix_micros(now) / 1_000_000, &authorities).is_ok()
}

fn parsed(keys: &[String]) -> impl Iterator<Item = PublicKey> {
    keys.iter().filter_map(|text| PublicKey::from_openssh(text).ok())
}

/// A key made for one connection, and its certificate. `id` is what the target logs.
pub(crate) fn mint(
    authority: &PrivateKey,
    user: &str,
    id: &str,
    now: SystemTime,
) -> Result<(PrivateKey, Certificate), ssh_key::Error> {
    let mut random = rand::rng();
    let key = PrivateKey::random(&mut random, Algorithm::Ed25519)?;
    let seconds = unix_micros(now) / 1_000_000;
    let (from, until) = (seconds.saturating_sub(SKEW.as_secs()), seconds.saturating_add(VALID.as_secs()));
    let mut builder = Builder::new_with_random_nonce(&mut random, key.public_key(), from, until)?;
    builder.cert_type(CertType::User)?.key_id(id)?.valid_principal(user)?.extension("permit-pty", "")?;
    Ok((key, builder.sign(authority)?))
}
