//! Where a login is kept: a file of one's own for each control plane, which nobody else may read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use portcullis_control::sign_in::CommandLine;
use portcullis_core::secret::Secret;
use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use crate::output::Failure;

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 256 << 10;

/// A login, as it is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct Login {
    /// The control plane that it is for.
    pub(crate) control: String,
    /// The issuer's URL.
    pub(crate) issuer: String,
    /// How the command line is known there.
    pub(crate) command_line: CommandLine,
    /// What the gate is shown.
    #[serde(serialize_with = "exposed")]
    pub(crate) token: Secret<String>,
    /// What gets the next one.
    #[serde(serialize_with = "exposed_if_any")]
    pub(crate) refresh: Option<Secret<String>>,
    /// When the token ends, in seconds since 1970; 0 where nobody says.
    pub(crate) ends: u64,
}

fn exposed<S: Serializer>(secret: &Secret<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

fn exposed_if_any<S: Serializer>(secret: &Option<Secret<String>>, to: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => to.serialize_some(secret.expose()),
        None => to.serialize_none(),
    }
}

/// The place of one control plane's login.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    control: String,
    path: PathBuf,
}

impl Store {
    /// The place of this control plane's login, in the folder of this user.
    pub(crate) fn of(control: &Url) -> Result<Self, Failure> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        // The XDG Base Directory Specification wants relative paths ignored.
        let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let state = state.ok_or_else(|| {
            Failure::Said(String::from("a login is kept below `XDG_STATE_HOME` or `HOME`, and neither is set"))
        })?;
        Ok(Self::within(&state.join("portcullis"), control))
    }

    fn within(folder: &Path, control: &Url) -> Self {
        let control = control.as_str().trim_end_matches('/').to_owned();
        let path = folder.join(format!("{}.json", file_name(&control)));
        Self { control, path }
    }

    /// The control plane's URL.
    pub(crate) fn control(&self) -> &str {
        &self.control
    }

    /// The login, if there is one. A file that others can read, or that is another's, is refused.
    pub(crate) fn read(&self) -> Result<Option<Login>, Failure> {
        let failed = |why: std::io::Error| self.wrong(&format!("cannot be read: {why}"));
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(failed(why)),
        };
        let about = file.metadata().map_err(failed)?;
        if about.mode() & 0o077 != 0 || about.uid() != rustix::process::geteuid().as_raw() {
            return Err(self.wrong("can be read by others, or is another's; log out, and in again"));
        }
        let mut text = String::new();
        file.take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
        let text = Secret::new(text);
        let login: Login = serde_json::from_str(text.expose()).map_err(|_| self.wrong("is no login; log in again"))?;
        if login.control != self.control {
            return Err(self.wrong("is another control plane's login"));
        }
        Ok(Some(login))
    }

    /// Keeps a login in place of the one before. Whoever reads meanwhile sees either.
    pub(crate) fn write(&self, login: &Login) -> Result<(), Failure> {
        let failed = |why: std::io::Error| self.wrong(&format!("cannot be written: {why}"));
        let text = Secret::new(serde_json::to_string(login).map_err(Failure::of)?);
        let new = self.path.with_extension(format!("new.{}", std::process::id()));
        self.make_folder().map_err(failed)?;
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| file.write_all(text.expose().as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&new, &self.path));
        written.map_err(|why| {
            let _ = std::fs::remove_file(&new);
            failed(why)
        })
    }

    /// Forgets the login; whether there was one.
    pub(crate) fn remove(&self) -> Result<bool, Failure> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(why) if why.kind() == ErrorKind::NotFound => Ok(false),
            Err(why) => Err(self.wrong(&format!("cannot be removed: {why}"))),
        }
    }

    /// Waits until no other process changes the login; until the file is dropped none does.
    pub(crate) fn lock(&self) -> Result<File, Failure> {
        let failed = |why: std::io::Error| self.wrong(&format!("cannot be locked: {why}"));
        self.make_folder().map_err(failed)?;
        let path = self.path.with_extension("lock");
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    fn make_folder(&self) -> std::io::Result<()> {
        self.path.parent().map_or(Ok(()), |folder| DirBuilder::new().recursive(true).mode(0o700).create(folder))
    }

    fn wrong(&self, what: &str) -> Failure {
        Failure::Said(format!("the login in `{}` {what}", self.path.display()))
    }
}

/// A URL as a file name; two URLs never have the same one.
fn file_name(url: &str) -> String {
    let mut name = String::new();
    for byte in url.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use portcullis_control::sign_in::ShownAs;

    use super::*;

    fn login(store: &Store, token: &str) -> Login {
        Login {
            control: store.control.clone(),
            issuer: "https://id.example.com".into(),
            command_line: CommandLine { client_id: "cli".into(), scope: "openid".into(), token: ShownAs::Access },
            token: Secret::new(token.into()),
            refresh: None,
            ends: 7,
        }
    }

    fn store(folder: &tempfile::TempDir, url: &str) -> Store {
        Store::within(&folder.path().join("portcullis"), &Url::parse(url).unwrap())
    }

    #[test]
    fn login_is_kept_for_its_control_plane_alone_and_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, "https://one.example.com/");
        assert!(store.read().unwrap().is_none());
        store.write(&login(&store, "first")).unwrap();
        store.write(&login(&store, "second")).unwrap();
        assert_eq!(store.read().unwrap().unwrap().token.expose(), "second");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&store.path), mode(store.path.parent().unwrap())), (0o600, 0o700));
        assert!(super::tests::store(&folder, "https://two.example.com").read().unwrap().is_none());
        assert!(store.remove().unwrap());
        assert!(!store.remove().unwrap());
        let left: Vec<_> = std::fs::read_dir(store.path.parent().unwrap()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, "https://one.example.com");
        store.write(&login(&store, "a token")).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&store.path, std::fs::Permissions::from_mode(mode)).unwrap();
            let why = store.read().err().unwrap().to_string();
            assert!(why.contains("can be read by others"), "{mode:o}: {why}");
        }
        std::fs::set_permissions(&store.path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&store.path, "{}").unwrap();
        assert!(store.read().err().unwrap().to_string().contains("is no login"));
    }

    #[test]
    fn one_process_at_a_time_changes_a_login() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder, "https://one.example.com");
        let held = store.lock().unwrap();
        let waiting = std::thread::spawn(move || drop(store.lock().unwrap()));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(held);
        waiting.join().unwrap();
    }

    #[test]
    fn urls_have_names_of_their_own() {
        assert_eq!(file_name("https://a-b.example:8443/x"), "https%3a%2f%2fa-b.example%3a8443%2fx");
        assert_ne!(file_name("https://a/%2f"), file_name("https://a//"));
    }
}
