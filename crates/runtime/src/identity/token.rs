//! Takes a token apart (RFC 7515 compact form), without believing any of it.
//!
//! Nothing here has been verified; it serves to choose the issuer and the key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::rejection::Rejection;

/// The longest token that is looked at.
pub(super) const MAX_TOKEN: usize = 64 * 1024;
/// Kinds of token that prove an identity: none named, the usual, and RFC 9068's access token.
const TYPES: [&str; 4] = ["JWT", "JOSE", "at+jwt", "application/at+jwt"];

/// A token in its parts, not verified.
pub(super) struct Unverified<'t> {
    /// What was signed.
    pub(super) message: &'t str,
    /// The signature, in base64url.
    pub(super) signature: &'t str,
    /// The algorithm that it claims.
    pub(super) algorithm: Algorithm,
    /// The key that it names.
    pub(super) kid: Option<String>,
    /// Its claims.
    pub(super) claims: Map<String, Value>,
}

impl<'t> Unverified<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, Rejection> {
        if token.len() > MAX_TOKEN {
            return Err(Rejection::TooLarge);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Rejection::Shape);
        };
        let rest = parts.count();
        if rest > 0 {
            // JWE's compact form has five parts (RFC 7516 §3.1).
            return Err(if rest == 2 { Rejection::Encrypted } else { Rejection::Shape });
        }
        let (message, _) = token.rsplit_once('.').ok_or(Rejection::Shape)?;
        let (algorithm, kid) = read_header(&object(header, Rejection::Header)?)?;
        let claims = object(payload, Rejection::Payload)?;
        Ok(Self { message, signature, algorithm, kid, claims })
    }

    /// The issuer that it names.
    pub(super) fn issuer(&self) -> Result<&str, Rejection> {
        let named = self.claims.get("iss").ok_or(Rejection::MissingClaim("iss"))?;
        named.as_str().ok_or(Rejection::MalformedClaim("iss"))
    }
}

fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), Rejection> {
    let text = |member| match header.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Rejection::Header),
    };
    if header.contains_key("crit") {
        return Err(Rejection::Critical);
    }
    let name = text("alg")?.ok_or(Rejection::Header)?;
    let algorithm = Algorithm::named(name).ok_or(Rejection::AlgorithmRefused)?;
    if let Some(kind) = text("typ")?
        && !TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind))
    {
        return Err(Rejection::Type);
    }
    // `jku`, `jwk`, `x5u` and `x5c` are a stranger's word about a stranger's key: never read.
    Ok((algorithm, text("kid")?.map(str::to_owned)))
}

fn object(part: &str, otherwise: Rejection) -> Result<Map<String, Value>, Rejection> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Shape)?;
    serde_json::from_slice::<Object>(&bytes).map(|object| object.0).map_err(|_| otherwise)
}

/// A JSON object in which no member stands twice, so that no two readers can differ about it.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object, A::Error> {
        let mut object = Map::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands there twice"));
            }
        }
        Ok(Object(object))
    }
}
