//! The authorization code flow's memory (OIDC Core §3.1, RFC 7636): which code stands for whom, once.
//!
//! It knows no HTTP; the pages and endpoints are in `http` and `token`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::claims::Claims;

/// Codes that may wait at a time.
const MAX_WAITING: usize = 1024;

/// What an application asks for, as it stands in the browser's address.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) nonce: String,
    pub(super) code_challenge: String,
    pub(super) code_challenge_method: String,
}

/// What it shows for a code.
pub(super) struct Shown<'a> {
    pub(super) client_id: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: &'a str,
}

/// All codes that wait.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, (Asked, Claims)>>);

impl Codes {
    /// A code for somebody; `None` where the question is not one that is answered.
    pub(super) fn open(&self, asked: Asked, claims: Claims) -> Option<String> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MAX_WAITING || asked.code_challenge_method != "S256" {
            return None;
        }
        let mut bytes = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        let code = URL_SAFE_NO_PAD.encode(bytes);
        waiting.insert(code.clone(), (asked, claims));
        Some(code)
    }

    /// Whom a code stands for: the claims of the application's ID token. A code is good once, whatever is
    /// shown with it.
    pub(super) fn take(&self, code: &str, shown: &Shown<'_>) -> Option<Claims> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(code);
        let (asked, claims) = taken?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, shown.verifier.as_bytes()));
        let same = asked.client_id == shown.client_id && asked.redirect_uri == shown.redirect_uri;
        (same && asked.code_challenge == challenge).then(|| claims.audience(asked.client_id).set("nonce", asked.nonce))
    }
}
