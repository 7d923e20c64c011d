//! How a client shows its token: as a password, or by SASL OAUTHBEARER (RFC 7628).

use bytes::{Bytes, BytesMut};
use pgwire::messages::startup::Authentication;
use portcullis_core::gate::Gate;
use portcullis_core::identity::Proof;
use portcullis_core::protocol::ServeError;
use portcullis_core::refusal::{Refusal, Unidentified};
use portcullis_core::secret::Secret;
use portcullis_core::stream::BoxStream;

use super::Failed;
use super::packets::{Packet, from_client, send};
use crate::config::ClientLogin;
use crate::wire::body::Body;
use crate::wire::frame::MAX_PASSWORD;
use crate::wire::write::{self, Report};

const OAUTHBEARER: &str = "OAUTHBEARER";

/// Asks for the client's token and reads it. It is not verified here.
pub(super) async fn proof(stream: &mut BoxStream, by: ClientLogin, gate: &Gate) -> Result<Proof, Failed> {
    match by {
        ClientLogin::Password => password(stream).await,
        ClientLogin::OAuthBearer => oauth_bearer(stream, gate).await,
    }
}

async fn password(stream: &mut BoxStream) -> Result<Proof, Failed> {
    ask(stream, &Authentication::CleartextPassword).await?;
    let packet = answer(stream).await?;
    let mut body = Body::new(b'p', &packet.body);
    let read = body.string().and_then(|token| body.end().map(|()| token));
    bearer(read.map_err(|why| violation(why.to_string()))?)
}

async fn oauth_bearer(stream: &mut BoxStream, gate: &Gate) -> Result<Proof, Failed> {
    ask(stream, &Authentication::SASL(vec![OAUTHBEARER.into()])).await?;
    let packet = answer(stream).await?;
    let mut body = Body::new(b'p', &packet.body);
    let read = body.string().and_then(|mechanism| {
        let length = usize::try_from(body.int()?).unwrap_or(0);
        let data = body.take(length)?;
        body.end().map(|()| (mechanism, data))
    });
    let (mechanism, data) = read.map_err(|why| violation(why.to_string()))?;
    if mechanism != OAUTHBEARER.as_bytes() {
        return Err(violation("it chose a SASL mechanism that was not offered"));
    }
    match token(data) {
        Some([]) => {
            tell_where(stream, gate).await?;
            Err(Failed::Refused(Refusal::Unidentified(Unidentified::Rejected)))
        }
        Some(token) => bearer(token),
        None => Err(violation("its OAUTHBEARER message is malformed")),
    }
}

/// The token of an initial client response (RFC 7628 §3.1); empty where the client only asks
/// where to get one.
fn token(data: &[u8]) -> Option<&[u8]> {
    let inner = data.strip_prefix(b"n,,\x01").or_else(|| data.strip_prefix(b"y,,\x01"))?.strip_suffix(b"\x01\x01")?;
    let mut found = None;
    for pair in inner.split(|byte| *byte == 1) {
        if let Some(value) = pair.strip_prefix(b"auth=")
            && found.replace(value).is_some()
        {
            return None;
        }
    }
    let value = found?;
    match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Some(token.trim_ascii()),
        _ if value.is_empty() => Some(value),
        _ => None,
    }
}

/// Tells a client without a token where to get one (RFC 7628 §3.2.2) and waits for its dummy
/// answer.
async fn tell_where(stream: &mut BoxStream, gate: &Gate) -> Result<(), Failed> {
    let mut status = String::from("{\"status\":\"invalid_token\"");
    if let Some(discovery) = gate.discovery() {
        status.push_str(",\"openid-configuration\":");
        status.push_str(&quoted(&discovery.configuration));
        status.push_str(",\"scope\":");
        status.push_str(&quoted(&discovery.scope));
    }
    status.push('}');
    ask(stream, &Authentication::SASLContinue(Bytes::from(status))).await?;
    answer(stream).await.map(drop)
}

/// A JSON string. Both texts come from the gate's own configuration.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c if c.is_control() => vec![' '],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

async fn ask(stream: &mut BoxStream, message: &Authentication) -> Result<(), Failed> {
    let mut out = BytesMut::new();
    write::message(&mut out, message);
    send(stream, &out).await.map_err(ServeError::ClientIo)?;
    Ok(())
}

async fn answer(stream: &mut BoxStream) -> Result<Packet, Failed> {
    match from_client(stream, MAX_PASSWORD).await? {
        packet @ Packet { tag: b'p', .. } => Ok(packet),
        _ => Err(violation("it did not answer the request for its token")),
    }
}

fn bearer(token: &[u8]) -> Result<Proof, Failed> {
    let token = String::from_utf8(token.to_vec())
        .map_err(|_| Failed::Refused(Refusal::Unidentified(Unidentified::Rejected)))?;
    if token.is_empty() {
        return Err(Failed::Refused(Refusal::Unidentified(Unidentified::Rejected)));
    }
    Ok(Proof::Bearer(Secret::new(token)))
}

fn violation(message: impl Into<String>) -> Failed {
    let message = message.into();
    let why = ServeError::Client(message.clone());
    Failed::Tell(Report { code: "08P01", message, ..Report::default() }, why)
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn the_token_of_an_initial_response_is_found() {
        assert_eq!(token(b"n,,\x01auth=Bearer abc\x01\x01"), Some(&b"abc"[..]));
        assert_eq!(token(b"n,,\x01auth=bearer abc\x01host=x\x01\x01"), Some(&b"abc"[..]));
        assert_eq!(token(b"n,,\x01auth=\x01\x01"), Some(&b""[..]));
        for bad in [
            &b"n,,\x01auth=Basic x\x01\x01"[..],
            b"n,,\x01\x01",
            b"auth=Bearer x",
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            b"",
        ] {
            assert_eq!(token(bad), None, "{bad:?}");
        }
    }
}
