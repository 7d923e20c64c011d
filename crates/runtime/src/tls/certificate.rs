//! The gate's own certificate: read from its files, and read anew when they change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, pem, provider};
use crate::config::ClientTls;

/// A certificate with its key, as the files have it now.
pub(super) struct Certificate {
    files: ClientTls,
    /// What the files held when they were last looked at, good or not, so that one change is one
    /// message.
    seen: Mutex<Content>,
    current: ArcSwap<CertifiedKey>,
}

#[derive(PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    pub(super) fn load(files: ClientTls) -> Result<Self, TlsError> {
        let seen = Content::read(&files)?;
        let current = ArcSwap::from_pointee(seen.pair(&files)?);
        Ok(Self { files, seen: Mutex::new(seen), current })
    }

    /// Looks at the files. `Ok(true)` means that a new certificate is in use from now on; after an
    /// error, the old one stays in use.
    pub(super) fn refresh(&self) -> Result<bool, TlsError> {
        let now = Content::read(&self.files)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return Ok(false);
        }
        let pair = now.pair(&self.files);
        *seen = now;
        self.current.store(Arc::new(pair?));
        Ok(true)
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.files.certificate
    }
}

impl Content {
    fn read(files: &ClientTls) -> Result<Self, TlsError> {
        Ok(Self { certificate: pem::read(&files.certificate)?, key: pem::read(&files.key)? })
    }

    fn pair(&self, files: &ClientTls) -> Result<CertifiedKey, TlsError> {
        let chain = pem::certificates_in(&files.certificate, &self.certificate)?;
        let key = pem::key_in(&files.key, &self.key)?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|why| {
            TlsError(format!(
                "the certificate `{}` and the key `{}` cannot be used together: {why}",
                files.certificate.display(),
                files.key.display()
            ))
        })
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.key);
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}
