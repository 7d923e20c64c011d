//! The log: text for people on a terminal, JSON lines for machines elsewhere, on standard error.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// The environment variable whose filter goes before the configured one.
const FILTER: &str = "PORTCULLIS_LOG";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LogError(String);

/// Starts the log of this process. A process that has one already keeps it.
pub fn start(config: &Log) -> Result<(), LogError> {
    let wanted = std::env::var(FILTER).unwrap_or_else(|_| config.filter.clone());
    let filter =
        EnvFilter::try_new(&wanted).map_err(|why| LogError(format!("the log filter `{wanted}` is wrong: {why}")))?;
    let terminal = std::io::stderr().is_terminal();
    let json = match config.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // A duplicate, because a protocol's parser may redirect descriptor 2 of the process for a moment.
    let duplicate = std::io::stderr().as_fd().try_clone_to_owned();
    let file = duplicate.map_err(|why| LogError(format!("standard error cannot be written to: {why}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(terminal);
    let builder = builder.with_writer(Mutex::new(File::from(file)));
    // The module that logs would stand under the name that we use for the protected service.
    let builder = builder.with_target(false);
    // An error means that there is a log already.
    let _ = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
    Ok(())
}
