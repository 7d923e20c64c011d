//! Authentication at the target: SCRAM-SHA-256 with channel binding, MD5, cleartext inside TLS; a
//! client certificate needs no message.

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use pgwire::messages::startup::{Password, SASLInitialResponse, SASLResponse};
use portcullis_core::protocol::ServeError;
use portcullis_core::secret::Secret;
use portcullis_core::stream::BoxStream;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};

use super::{MAX_GREETING, refused, unexpected};
use crate::config::Login;
use crate::serve::packets::{Packet, from_target, send};
use crate::wire::body::Body;
use crate::wire::write;

const OK: i32 = 0;
const CLEARTEXT: i32 = 3;
const MD5: i32 = 5;
const SASL: i32 = 10;
const SASL_CONTINUE: i32 = 11;
const SASL_FINAL: i32 = 12;

/// The most rounds of questions before the target must say yes.
const MAX_ROUNDS: usize = 4;

/// Answers the target's questions until it says yes. `certificate` is the target's own, in DER,
/// where the stream is inside TLS.
pub(super) async fn authenticate(
    stream: &mut BoxStream,
    login: &Login,
    certificate: Option<&[u8]>,
    said: &mut BytesMut,
) -> Result<(), ServeError> {
    for _ in 0..MAX_ROUNDS {
        let packet = from_target(stream, MAX_GREETING).await?;
        let (code, rest) = question(&packet, said)?;
        match code {
            OK => return Ok(()),
            CLEARTEXT if certificate.is_some() => {
                let secret = secret(login)?;
                answer(stream, &Password::new(secret.expose().clone())).await?;
            }
            CLEARTEXT => return Err(ServeError::Target("it asks for a cleartext password outside TLS".into())),
            MD5 => {
                let salt: [u8; 4] =
                    rest.try_into().map_err(|_| ServeError::Target("its MD5 salt is malformed".into()))?;
                let secret = secret(login)?;
                let hash = md5_hash(login.user.as_bytes(), secret.expose().as_bytes(), salt);
                answer(stream, &Password::new(hash)).await?;
            }
            SASL => scram(stream, rest, &secret(login)?, certificate, said).await?,
            other => {
                return Err(ServeError::Target(format!(
                    "it asks for authentication method {other}, which is not supported"
                )));
            }
        }
    }
    Err(ServeError::Target("its authentication does not come to an end".into()))
}

fn secret(login: &Login) -> Result<Secret<String>, ServeError> {
    let missing =
        || ServeError::Gate(format!("the target asks for a password, and the login `{}` has none", login.user));
    login.secret().map_err(ServeError::Gate)?.ok_or_else(missing)
}

fn question<'p>(packet: &'p Packet, said: &mut BytesMut) -> Result<(i32, &'p [u8]), ServeError> {
    match packet.tag {
        b'R' => {
            let mut body = Body::new(b'R', &packet.body);
            let code = body.int().map_err(|why| ServeError::Target(why.to_string()))?;
            Ok((code, body.rest()))
        }
        b'E' => Err(refused(packet, said)),
        tag => Err(unexpected(tag)),
    }
}

async fn scram(
    stream: &mut BoxStream,
    mechanisms: &[u8],
    secret: &Secret<String>,
    certificate: Option<&[u8]>,
    said: &mut BytesMut,
) -> Result<(), ServeError> {
    let offered = |name: &str| mechanisms.split(|byte| *byte == 0).any(|known| known == name.as_bytes());
    let end_point = certificate.and_then(end_point);
    let (mechanism, binding) = match end_point {
        Some(hash) if offered(SCRAM_SHA_256_PLUS) => (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash)),
        Some(_) if offered(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
        None if offered(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        _ => return Err(ServeError::Target("it offers no SASL mechanism that is supported".into())),
    };
    let failed = |why: std::io::Error| ServeError::Target(format!("its SCRAM exchange failed: {why}"));
    let mut scram = ScramSha256::new(secret.expose().as_bytes(), binding);
    let first = Bytes::copy_from_slice(scram.message());
    answer(stream, &SASLInitialResponse::new(mechanism.into(), Some(first))).await?;
    let packet = from_target(stream, MAX_GREETING).await?;
    match question(&packet, said)? {
        (SASL_CONTINUE, data) => scram.update(data).map_err(failed)?,
        (other, _) => return Err(ServeError::Target(format!("it answers SCRAM with method {other}"))),
    }
    answer(stream, &SASLResponse::new(Bytes::copy_from_slice(scram.message()))).await?;
    let packet = from_target(stream, MAX_GREETING).await?;
    match question(&packet, said)? {
        // The target proves here that it knows the password too.
        (SASL_FINAL, data) => scram.finish(data).map_err(failed),
        (other, _) => Err(ServeError::Target(format!("it ends SCRAM with method {other}"))),
    }
}

async fn answer(stream: &mut BoxStream, message: &impl pgwire::messages::Message) -> Result<(), ServeError> {
    let mut out = BytesMut::new();
    write::message(&mut out, message);
    let sent = send(stream, &out).await.map_err(ServeError::TargetIo);
    zeroize::Zeroize::zeroize(out.as_mut());
    sent
}

/// The `tls-server-end-point` binding (RFC 5929 §4.1): the certificate under the hash of its own
/// signature, with SHA-256 in the place of MD5 and SHA-1. `None` where the signature names no hash.
fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    use x509_parser::signature_algorithm::SignatureAlgorithm as Signed;
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let algorithm = match Signed::try_from(&certificate.signature_algorithm).ok()? {
        Signed::ED25519 | Signed::RSAAES_OAEP(_) => return None,
        Signed::RSASSA_PSS(_) | Signed::DSA | Signed::ECDSA | Signed::RSA => {
            hash_of(&certificate.signature_algorithm.algorithm.to_id_string())
        }
    };
    Some(digest::digest(algorithm, der).as_ref().to_vec())
}

/// The hash that a signature algorithm's object identifier names.
fn hash_of(oid: &str) -> &'static digest::Algorithm {
    match oid {
        // sha384WithRSAEncryption, ecdsa-with-SHA384
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        // sha512WithRSAEncryption, ecdsa-with-SHA512
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        _ => &digest::SHA256,
    }
}
