//! Where `cargo xtask setup` keeps what is not a system package, and how a missing part is told.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Account;

/// The folder that holds downloaded servers, drivers and templates; never inside the checkout.
/// `PORTCULLIS_CACHE` overrides it. Root uses `/var/cache`, for servers run as another user, who
/// cannot read root's home.
pub fn cache_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("PORTCULLIS_CACHE") {
        return PathBuf::from(folder);
    }
    if Account::is_root() {
        return PathBuf::from("/var/cache/portcullis");
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(home).unwrap_or_else(std::env::temp_dir).join("portcullis")
}

/// A real part that is not installed.
#[derive(Debug)]
pub struct Missing {
    path: PathBuf,
    group: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, group } = self;
        write!(f, "`{}` is missing; install it with `cargo xtask setup --only {group}`", path.display())
    }
}

impl std::error::Error for Missing {}

/// Refuses unless `path` exists; the error names the part of `cargo xtask setup` that installs it.
pub fn need(path: impl AsRef<Path>, group: &'static str) -> Result<PathBuf, Missing> {
    let path = path.as_ref().to_path_buf();
    if path.exists() { Ok(path) } else { Err(Missing { path, group }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_part_names_the_command_that_installs_it() {
        let error = need("/nowhere/psql", "postgres").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`/nowhere/psql` is missing; install it with `cargo xtask setup --only postgres`"
        );
    }
}
