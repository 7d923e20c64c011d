//! What the end-to-end tests and their client programs in Rust share.

pub mod environment;

/// SHA-256 in hexadecimal, to compare large values by a line.
pub fn digest(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
