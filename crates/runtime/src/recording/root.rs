//! A gate's first public key: the one thing that a verifier has to know of a gate.

use std::fmt;
use std::str::FromStr;

/// The key that the gate's first checkpoint is signed with. Every later key follows from it, so a
/// verifier that got it by a way of its own need not trust the folder that it verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootKey(pub(super) [u8; 32]);

impl fmt::Display for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for RootKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a gate's key is 64 hexadecimal digits";
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(wrong) };
        if pairs.len() != 32 {
            return Err(wrong);
        }
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(pairs) {
            let digits = std::str::from_utf8(pair).map_err(|_| wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
        }
        Ok(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::RootKey;

    #[test]
    fn keys_are_read_as_they_are_shown() {
        let key = RootKey([0xa5; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "a5", "zz", &"a".repeat(63), &"a".repeat(66), &"é".repeat(32)] {
            assert!(bad.parse::<RootKey>().is_err(), "{bad}");
        }
    }
}
