//! The issuer's keys: one ES256 and one RS256 pair that sign, and those that came before.
//!
//! It signs what it is given; whether that makes sense is decided elsewhere.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

/// The key pairs of an issuer, oldest first.
pub(super) struct Keys(Mutex<Inner>);

struct Inner {
    generation: u32,
    es256: Vec<Pair>,
    rs256: Vec<Pair>,
}

/// One key pair with its public half as it is published.
#[derive(Clone)]
pub(super) struct Pair {
    secret: EncodingKey,
    public: Jwk,
    kid: String,
    algorithm: Algorithm,
}

impl Keys {
    pub(super) fn new() -> anyhow::Result<Self> {
        let inner = Inner { generation: 1, es256: vec![Pair::es256("es-1")?], rs256: vec![Pair::rs256("rs-1")?] };
        Ok(Self(Mutex::new(inner)))
    }

    pub(super) fn rotate(&self) -> anyhow::Result<()> {
        let generation = self.lock().generation + 1;
        let es256 = Pair::es256(&format!("es-{generation}"))?;
        let rs256 = Pair::rs256(&format!("rs-{generation}"))?;
        let mut inner = self.lock();
        inner.generation = generation;
        inner.es256.push(es256);
        inner.rs256.push(rs256);
        Ok(())
    }

    pub(super) fn retire(&self) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for pairs in [&mut inner.es256, &mut inner.rs256] {
            let old = pairs.len().saturating_sub(1);
            pairs.drain(..old);
        }
    }

    /// The pair that signs now.
    pub(super) fn current(&self, rsa: bool) -> Pair {
        let inner = self.lock();
        let pairs = if rsa { &inner.rs256 } else { &inner.es256 };
        #[expect(clippy::expect_used, reason = "made with one pair each, and `retire` keeps the last")]
        pairs.last().expect("an issuer always has a key").clone()
    }

    /// The public halves, as a JWK set's `keys`.
    pub(super) fn published(&self) -> Vec<Jwk> {
        let inner = self.lock();
        inner.es256.iter().chain(&inner.rs256).map(|pair| pair.public.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    pub(super) fn es256(kid: &str) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .context("no P-256 key could be made")?;
        Self::of(EncodingKey::from_ec_der(pair.as_ref()), kid, Algorithm::ES256)
    }

    fn rs256(kid: &str) -> anyhow::Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).context("no RSA key could be made")?;
        let der: Pkcs8V1Der<'_> = pair.as_der().context("the RSA key cannot be written")?;
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        Self::of(EncodingKey::from_rsa_pem(pem.as_bytes())?, kid, Algorithm::RS256)
    }

    fn of(secret: EncodingKey, kid: &str, algorithm: Algorithm) -> anyhow::Result<Self> {
        let mut public = Jwk::from_encoding_key(&secret, algorithm)?;
        public.common.key_id = Some(kid.to_owned());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { secret, public, kid: kid.to_owned(), algorithm })
    }

    /// The header that this pair's tokens carry.
    pub(super) fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.clone());
        header
    }

    pub(super) const fn public(&self) -> &Jwk {
        &self.public
    }

    /// Signs `claims` under `header`.
    pub(super) fn sign(&self, header: &Header, claims: &Value) -> String {
        #[expect(
            clippy::expect_used,
            reason = "a pair that was made here signs JSON, or the test kit itself is broken"
        )]
        jsonwebtoken::encode(header, claims, &self.secret).expect("the issuer's own key signs")
    }

    /// Signs any text, for headers that the encoder would not write.
    pub(super) fn sign_text(&self, text: &str) -> String {
        #[expect(
            clippy::expect_used,
            reason = "a pair that was made here signs bytes, or the test kit itself is broken"
        )]
        jsonwebtoken::crypto::sign(text.as_bytes(), &self.secret, self.algorithm).expect("the issuer's own key signs")
    }
}
