//! Tokens that must be refused for how they are signed or wrapped.
//!
//! Tokens that must be refused for what they say are made with `Claims` alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::claims::Claims;
use super::keys::Pair;
use super::state::State;

/// How a token is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// `alg` is `none` and there is no signature.
    AlgNone,
    /// HS256, with the published public key as the secret.
    HmacWithPublicKey,
    /// Signed by a key whose `kid` was never published.
    UnknownKid,
    /// Signed by a foreign key under the `kid` of a published one.
    ForeignKey,
    /// The `kid` of the RSA key with an ES256 signature.
    KidOfOtherType,
    /// No `kid` at all.
    NoKid,
    /// A `crit` header.
    Crit,
    /// A `typ` of another kind of token, a logout token's.
    LogoutType,
    /// The payload was changed after signing.
    Tampered,
    /// The signature is missing while `alg` claims one.
    Unsigned,
    /// An encrypted token's five parts.
    Encrypted,
    /// One claim twice, the second time with another value.
    TwoIssuers,
    /// More than 64 KiB.
    Huge,
    /// Not a token at all.
    Garbage,
}

impl Forgery {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::AlgNone,
        Self::HmacWithPublicKey,
        Self::UnknownKid,
        Self::ForeignKey,
        Self::KidOfOtherType,
        Self::NoKid,
        Self::Crit,
        Self::LogoutType,
        Self::Tampered,
        Self::Unsigned,
        Self::Encrypted,
        Self::TwoIssuers,
        Self::Huge,
        Self::Garbage,
    ];

    pub(super) fn forge(self, state: &State, claims: &Claims) -> String {
        let pair = state.keys().current(claims.rsa);
        let body = state.complete(claims);
        let with_header = |change: fn(&mut Header)| {
            let mut header = pair.header();
            change(&mut header);
            pair.sign(&header, &body)
        };
        match self {
            Self::AlgNone => format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&body)),
            Self::HmacWithPublicKey => hmac_with_public_key(&pair, &body),
            Self::UnknownKid => with_header(|header| header.kid = Some(String::from("never-published"))),
            Self::ForeignKey => foreign(&pair.header(), &body),
            Self::KidOfOtherType => {
                let mut header = state.keys().current(false).header();
                header.kid = state.keys().current(true).header().kid;
                state.keys().current(false).sign(&header, &body)
            }
            Self::NoKid => with_header(|header| header.kid = None),
            Self::Crit => signed_text(&pair, &json!({"crit": ["exp"]}), &body.to_string()),
            Self::LogoutType => with_header(|header| header.typ = Some(String::from("logout+jwt"))),
            Self::Tampered => tampered(&pair, &body),
            Self::Unsigned => {
                let signed = pair.sign(&pair.header(), &body);
                signed.rsplit_once('.').map_or_else(String::new, |(message, _)| format!("{message}."))
            }
            Self::Encrypted => format!("{}.a.b.c.d", part(&json!({"alg": "RSA-OAEP", "enc": "A256GCM"}))),
            Self::TwoIssuers => {
                let text = body.to_string().replacen('{', r#"{"iss":"https://other.example","#, 1);
                signed_text(&pair, &json!({}), &text)
            }
            Self::Huge => state.mint(&claims.clone().set("padding", "x".repeat(64 * 1024))),
            Self::Garbage => String::from("this is no token"),
        }
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed_text(pair: &Pair, extra: &Value, body: &str) -> String {
    let mut header = json!(pair.header());
    if let (Some(header), Some(extra)) = (header.as_object_mut(), extra.as_object()) {
        header.extend(extra.clone());
    }
    let message = format!("{}.{}", part(&header), URL_SAFE_NO_PAD.encode(body));
    let signature = pair.sign_text(&message);
    format!("{message}.{signature}")
}

fn tampered(pair: &Pair, body: &Value) -> String {
    let signed = pair.sign(&pair.header(), body);
    let mut changed = body.clone();
    if let Some(claims) = changed.as_object_mut() {
        claims.insert(String::from("groups"), json!(["admins"]));
    }
    let mut parts = signed.split('.');
    let (header, signature) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    format!("{header}.{}.{signature}", part(&changed))
}

fn foreign(header: &Header, body: &Value) -> String {
    #[expect(clippy::expect_used, reason = "key generation does not fail, or the test kit itself is broken")]
    let pair = Pair::es256("foreign").expect("a P-256 key can be made");
    let header = Header { alg: Algorithm::ES256, ..header.clone() };
    pair.sign(&header, body)
}

fn hmac_with_public_key(pair: &Pair, body: &Value) -> String {
    let secret = EncodingKey::from_secret(json!(pair.public()).to_string().as_bytes());
    let header = Header { alg: Algorithm::HS256, ..pair.header() };
    #[expect(clippy::expect_used, reason = "any bytes are an HMAC key, or the test kit itself is broken")]
    jsonwebtoken::encode(&header, body, &secret).expect("any bytes are an HMAC key")
}
