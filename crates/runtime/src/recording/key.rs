//! The signing key that moves forward: after each checkpoint the secret becomes its own hash, and
//! the one before is erased, in memory and on disk. It knows nothing of what is signed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use zeroize::{Zeroize, Zeroizing};

use super::disk::Disk;
use super::format::{sum, take};

/// How a slot of the key's file begins.
const MAGIC: [u8; 8] = *b"PCKEY\r\n\x01";
/// Magic, number, secret, and eight bytes of their SHA-256.
const SLOT: usize = 8 + 8 + 32 + 8;
/// Where each of the two slots is: in disk blocks of their own, so that no write can tear both.
const SLOTS: [u64; 2] = [0, 4096];

/// The secret of one checkpoint, and through it those of all that follow.
pub(super) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub(super) fn random() -> io::Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(&mut *seed).map_err(|_| io::Error::other("the system gives no random bytes"))?;
        Ok(Self(seed))
    }

    /// The secret after this one. There is no way back.
    pub(super) fn next(&self) -> io::Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, b"portcullis recording key")
            .extract(&*self.0)
            .expand(&[b"next"], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut *seed))
            .map_err(|_| io::Error::other("the next signing key cannot be derived"))?;
        Ok(Self(seed))
    }

    fn pair(&self) -> io::Result<Ed25519KeyPair> {
        Ed25519KeyPair::from_seed_unchecked(&*self.0).map_err(|_| io::Error::other("the signing key is unusable"))
    }

    /// The public half.
    pub(super) fn public(&self) -> io::Result<[u8; 32]> {
        let pair = self.pair()?;
        pair.public_key().as_ref().try_into().map_err(|_| io::Error::other("the public key is unusable"))
    }

    pub(super) fn sign(&self, message: &[u8]) -> io::Result<[u8; 64]> {
        let signature = self.pair()?.try_sign(message).map_err(|_| io::Error::other("signing failed"))?;
        signature.as_ref().try_into().map_err(|_| io::Error::other("the signature is unusable"))
    }
}

/// The key of the next checkpoint, with the file that keeps it.
pub(super) struct Key {
    file: File,
    /// The number of the checkpoint that it will sign.
    pub(super) number: u64,
    pub(super) secret: Secret,
}

impl Key {
    /// Makes the key's file with the first secret.
    pub(super) fn make(path: &Path, disk: &dyn Disk, secret: Secret) -> io::Result<Self> {
        let key = Self { file: disk.create(path)?, number: 0, secret };
        key.store(disk)?;
        Ok(key)
    }

    /// Reads the key's file. Only its owner may be able to read it.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let found = file.metadata()?;
        if found.mode() & 0o077 != 0 {
            return Err(io::Error::other("others than the gate's own user can read the signing key; `chmod 600` it"));
        }
        let newest = SLOTS.iter().filter_map(|at| read(&file, *at)).max_by_key(|(number, _)| *number);
        let (number, secret) = newest.ok_or_else(|| io::Error::other("the signing key is damaged"))?;
        Ok(Self { file, number, secret })
    }

    /// Moves on to the next secret and erases this one. An error leaves the old secret on disk for
    /// longer; the key has moved all the same, and a restart finds its way from the old one.
    pub(super) fn advance(&mut self, disk: &dyn Disk) -> io::Result<()> {
        self.secret = self.secret.next()?;
        self.number = self.number.saturating_add(1);
        self.store(disk)
    }

    /// Writes the present secret to disk, then erases the other slot.
    pub(super) fn store(&self, disk: &dyn Disk) -> io::Result<()> {
        let [even, odd] = SLOTS;
        let (own, other) = if self.number.is_multiple_of(2) { (even, odd) } else { (odd, even) };
        let mut slot = Zeroizing::new(Vec::with_capacity(SLOT));
        slot.extend_from_slice(&MAGIC);
        slot.extend_from_slice(&self.number.to_le_bytes());
        slot.extend_from_slice(&*self.secret.0);
        let check = sum(&[&slot]);
        slot.extend(check.iter().take(8));
        disk.write(&self.file, &slot, own)?;
        disk.sync(&self.file)?;
        disk.write(&self.file, &[0; SLOT], other)?;
        disk.sync(&self.file)
    }
}

fn read(file: &File, at: u64) -> Option<(u64, Secret)> {
    let mut slot = Zeroizing::new([0; SLOT]);
    file.read_exact_at(&mut *slot, at).ok()?;
    let (content, check) = slot.split_last_chunk::<8>()?;
    if !sum(&[content]).starts_with(check) {
        return None;
    }
    let from = &mut &*content;
    if take(from)? != MAGIC {
        return None;
    }
    let number = take(from).map(u64::from_le_bytes)?;
    let mut seed: [u8; 32] = take(from)?;
    let secret = Secret(Zeroizing::new(seed));
    seed.zeroize();
    Some((number, secret))
}

#[cfg(test)]
impl Key {
    /// Makes the key's file as it is after so many checkpoints.
    pub(super) fn restore(path: &Path, number: u64, secret: Secret) -> io::Result<()> {
        let disk = super::disk::RealDisk;
        Self { file: disk.create(path)?, number, secret }.store(&disk)
    }
}

#[cfg(test)]
impl Secret {
    /// A secret that is none.
    pub(super) fn known(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::disk::RealDisk;
    use super::*;

    #[test]
    fn old_secrets_are_gone_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let mut key = Key::make(&path, &RealDisk, Secret::random().unwrap()).unwrap();
        for number in 1..5 {
            let old = *key.secret.expose();
            key.advance(&RealDisk).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(32).any(|window| window == old));
            let loaded = Key::load(&path).unwrap();
            assert_eq!(loaded.number, number);
            assert_eq!(loaded.secret.expose(), key.secret.expose());
        }
    }

    #[test]
    fn a_torn_write_leaves_the_key_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let mut key = Key::make(&path, &RealDisk, Secret::random().unwrap()).unwrap();
        let first = std::fs::read(&path).unwrap();
        key.advance(&RealDisk).unwrap();
        let second = std::fs::read(&path).unwrap();
        let mut torn = second;
        torn[..SLOT].copy_from_slice(&first[..SLOT]);
        torn[4096 + 20] ^= 1;
        std::fs::write(&path, torn).unwrap();
        assert_eq!(Key::load(&path).unwrap().number, 0);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        Key::make(&path, &RealDisk, Secret::random().unwrap()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Key::load(&path).is_err());
    }
}
