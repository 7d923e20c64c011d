//! The first packets of a connection, which carry no type byte.

use super::WireError;

/// The longest first packet, as PostgreSQL itself limits it.
pub const MAX_STARTUP: usize = 10_000;

/// The first byte of a TLS handshake record: direct TLS, without an `SSLRequest`.
pub const TLS_HANDSHAKE: u8 = 0x16;

const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Bounds of a cancel key: 4 bytes in protocol 3.0, up to 256 in 3.2.
const CANCEL_KEY: std::ops::RangeInclusive<usize> = 4..=256;

/// A first packet.
#[derive(Debug, PartialEq, Eq)]
pub enum First {
    /// The client wants TLS.
    Ssl,
    /// The client wants GSSAPI encryption.
    GssEnc,
    /// The client wants to cancel what another connection runs.
    Cancel {
        /// The process id of `BackendKeyData`.
        process: u32,
        /// Its secret key.
        key: Vec<u8>,
    },
    /// The client begins a session.
    Startup(Startup),
}

/// A startup packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// The minor version that the client asks for; the major one is 3.
    pub minor: u16,
    /// Parameters in the order sent; no name comes twice.
    pub parameters: Vec<(String, String)>,
}

impl Startup {
    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The user name that was asked for.
    pub fn user(&self) -> &str {
        self.get("user").unwrap_or_default()
    }

    /// The database: the one named, else the one that is called like the user.
    pub fn database(&self) -> &str {
        self.get("database").filter(|name| !name.is_empty()).unwrap_or_else(|| self.user())
    }
}

/// The stated length of a first packet's body, from its first four bytes.
pub fn length(prefix: [u8; 4]) -> Result<usize, WireError> {
    let total = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if (8..=MAX_STARTUP).contains(&total) { Ok(total.saturating_sub(4)) } else { Err(WireError::Startup) }
}

/// Reads a first packet's body, without the length.
pub fn first(body: &[u8]) -> Result<First, WireError> {
    let (code, rest) = body.split_first_chunk::<4>().ok_or(WireError::Startup)?;
    match (u32::from_be_bytes(*code), rest) {
        (SSL_REQUEST, []) => Ok(First::Ssl),
        (GSSENC_REQUEST, []) => Ok(First::GssEnc),
        (CANCEL_REQUEST, rest) => cancel(rest),
        (version, rest) if version >> 16 == 3 => {
            let minor = u16::try_from(version & 0xffff).map_err(|_| WireError::Startup)?;
            Ok(First::Startup(Startup { minor, parameters: parameters(rest)? }))
        }
        _ => Err(WireError::Startup),
    }
}

fn cancel(rest: &[u8]) -> Result<First, WireError> {
    let (process, key) = rest.split_first_chunk::<4>().ok_or(WireError::Startup)?;
    if !CANCEL_KEY.contains(&key.len()) {
        return Err(WireError::Startup);
    }
    Ok(First::Cancel { process: u32::from_be_bytes(*process), key: key.to_vec() })
}

fn parameters(mut rest: &[u8]) -> Result<Vec<(String, String)>, WireError> {
    let mut found: Vec<(String, String)> = Vec::new();
    loop {
        let name = string(&mut rest)?;
        if name.is_empty() {
            return if rest.is_empty() { Ok(found) } else { Err(WireError::Startup) };
        }
        let value = string(&mut rest)?;
        // Which of two values a target takes is not ours to guess.
        if found.iter().any(|(known, _)| *known == name) {
            return Err(WireError::Startup);
        }
        found.push((name, value));
    }
}

fn string(rest: &mut &[u8]) -> Result<String, WireError> {
    let end = rest.iter().position(|byte| *byte == 0).ok_or(WireError::Startup)?;
    let (string, tail) = rest.split_at_checked(end).ok_or(WireError::Startup)?;
    *rest = tail.get(1..).unwrap_or_default();
    String::from_utf8(string.to_vec()).map_err(|_| WireError::Startup)
}

#[cfg(test)]
mod tests {
    use super::{First, first, length};

    fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes(), rest].concat()
    }

    #[test]
    fn a_startup_packet_names_user_and_database() {
        let First::Startup(startup) = first(&packet(196_608, b"user\0ann\0\0")).unwrap() else {
            panic!("not a startup")
        };
        assert_eq!((startup.user(), startup.database(), startup.minor), ("ann", "ann", 0));
    }

    #[test]
    fn garbage_is_an_error() {
        for bad in [
            packet(196_608, b"user\0ann\0"),
            packet(196_608, b"user\0ann\0\0x"),
            packet(196_608, b"user\0ann\0user\0bob\0\0"),
            packet(196_608, b"user\0\xff\0\0"),
            packet(131_072, b"\0"),
            packet(80_877_102, b"\0\0\0\x01abc"),
            packet(80_877_103, b"x"),
            b"GET".to_vec(),
        ] {
            assert!(first(&bad).is_err(), "{bad:?}");
        }
        assert!(length(*b"GET ").is_err());
        assert!(length([0, 0, 0, 7]).is_err());
        assert_eq!(length([0, 0, 0, 8]), Ok(4));
    }

    #[test]
    fn cancel_keys_of_both_protocol_versions_are_read() {
        for size in [4, 32, 256] {
            let body = packet(80_877_102, &[&7_u32.to_be_bytes()[..], &vec![9; size]].concat());
            assert_eq!(first(&body), Ok(First::Cancel { process: 7, key: vec![9; size] }));
        }
    }
}
