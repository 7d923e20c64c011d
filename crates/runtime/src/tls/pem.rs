//! Certificates and keys out of PEM files. Messages name the file, never its content.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// All certificates of a file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates_in(path, &read(path)?)
}

/// All certificates of a file's content; at least one.
pub(super) fn certificates_in(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(content).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(list) if !list.is_empty() => Ok(list),
        Ok(_) => Err(TlsError(format!("`{}` holds no certificate in PEM form", path.display()))),
        Err(why) => Err(TlsError(format!("`{}` is no PEM file of certificates: {why}", path.display()))),
    }
}

/// The first private key of a file's content.
pub(super) fn key_in(path: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(content)
        .map_err(|why| TlsError(format!("`{}` holds no private key in PEM form: {why}", path.display())))
}

/// A file's content.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|why| TlsError(format!("`{}` cannot be read: {why}", path.display())))
}
