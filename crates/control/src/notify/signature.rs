//! The signature of a webhook, as Standard Webhooks says (github.com/standard-webhooks): by it a receiver
//! knows who sends, and by the time in it that it is not sent anew by somebody else.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a secret may begin with.
const PREFIX: &str = "whsec_";

/// The shortest key and the longest, in bytes.
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// A key to sign with.
pub(super) struct Key(hmac::Key);

impl Key {
    /// Reads a secret: `whsec_` and 24 to 64 bytes in base64.
    pub(super) fn parse(secret: &str) -> Result<Self, &'static str> {
        let wrong = "`secret` is `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks says";
        let secret = secret.trim();
        let bytes = STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).map_err(|_| wrong)?;
        if !(SHORTEST..=LONGEST).contains(&bytes.len()) {
            return Err(wrong);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// What `webhook-signature` says of this delivery, sent at this time.
    pub(super) fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn signature_is_that_of_the_reference_implementation() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn key_is_neither_short_nor_anything_but_base64() {
        for wrong in ["", "whsec_", "hunter2", "whsec_aHVudGVyMg==", &"A".repeat(100)] {
            assert!(Key::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Key::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").is_ok());
    }
}
