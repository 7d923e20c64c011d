//! A certificate authority made for one run, with a certificate for loopback and one for a client.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use super::Account;

/// Paths of PEM files: an authority and what it signed.
#[derive(Debug, Clone)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes an authority, a certificate for `localhost` and 127.0.0.1, and one that names the
    /// client `client`, in `folder`. The host's key is
    /// given to `account`, the client's key stays with the caller.
    pub fn make(folder: &Path, client: &str, account: Account) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut authority = named("portcullis test authority")?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let made = Self { folder: folder.to_path_buf() };
        fs::write(made.authority(), authority.pem())?;

        let mut host = CertificateParams::new([String::from("localhost"), String::from("127.0.0.1")])?;
        host.distinguished_name.push(DnType::CommonName, "localhost");
        host.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        let mut user = named(client)?;
        user.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        for (params, certificate, key) in
            [(host, made.certificate(), made.key()), (user, made.client_certificate(), made.client_key())]
        {
            let pair = KeyPair::generate()?;
            fs::write(&certificate, params.signed_by(&pair, &authority)?.pem())?;
            fs::write(&key, pair.serialize_pem())?;
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        }
        account.own(&made.key())?;
        Ok(made)
    }

    /// The authority's certificate, which clients trust.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The certificate for `localhost` and 127.0.0.1.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("host.pem")
    }

    /// The key of [`Self::certificate`].
    pub fn key(&self) -> PathBuf {
        self.folder.join("host.key")
    }

    /// The client's certificate.
    pub fn client_certificate(&self) -> PathBuf {
        self.folder.join("client.pem")
    }

    /// The key of [`Self::client_certificate`].
    pub fn client_key(&self) -> PathBuf {
        self.folder.join("client.key")
    }

    /// Certificate and key in one file, as HAProxy wants them, readable for `account` alone.
    pub fn combined(&self, account: Account) -> anyhow::Result<PathBuf> {
        let path = self.folder.join("host-and-key.pem");
        let text = fs::read_to_string(self.certificate())? + &fs::read_to_string(self.key())?;
        fs::write(&path, text).context("cannot write the combined certificate")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        account.own(&path)?;
        Ok(path)
    }
}

fn named(name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
