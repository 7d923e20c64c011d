//! One command, one file.

pub(crate) mod asks;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod connect;
pub(crate) mod explain;
pub(crate) mod login;
pub(crate) mod policy;
pub(crate) mod policy_replay;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod sessions;
pub(crate) mod targets;
pub(crate) mod verify;
mod watch;

use std::path::{Path, PathBuf};

use portcullis_runtime::config::Config;
use portcullis_runtime::server::Server;

use crate::output::Failure;
use crate::{control, protocols};

/// The configuration, or what is wrong with it.
fn load(config: &Path) -> Result<Config, Failure> {
    Config::load(config).map_err(Failure::of)
}

/// A gate with every protocol of this build, and its control plane.
fn gate(config: &Path) -> Result<Server, Failure> {
    let server = Server::from(load(config)?).beside(control::opening());
    Ok(protocols::all().into_iter().fold(server, Server::with_kind))
}

/// The folder of recordings: the named one, or the configured one.
fn recordings(config: &Path, named: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    match named {
        Some(dir) => Ok(dir.clone()),
        None => Ok(load(config)?.process.recording.dir),
    }
}
