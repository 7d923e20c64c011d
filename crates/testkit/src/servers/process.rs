//! One child process with its log: waited for until ready, stopped gently and then firmly.
//!
//! It knows nothing of what the process does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to become ready, on a busy machine.
const READY: Duration = Duration::from_secs(60);
/// How long a process may take to stop before it is killed.
const STOPPED: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// How much of a log an error shows.
const LOG_TAIL_LINES: usize = 30;

/// A running child process. Dropping it stops it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop: Signal,
}

impl Process {
    /// Starts `command` with both outputs appended to `log`. `stop` is the signal that ends it well.
    pub fn start(name: &'static str, mut command: Command, log: &Path, stop: Signal) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log: log.to_path_buf(), stop })
    }

    /// Polls `ready` until it says yes; an end of the process or of patience is an error with the
    /// tail of the log.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.name, self.log_tail());
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {READY:?}:\n{}", self.name, self.log_tail());
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// The process id. With `setpriv` it is the program's own, for `setpriv` becomes the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that the process wrote so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal; nothing happens to a process that has ended.
    pub fn signal(&mut self, signal: Signal) {
        if !self.is_running() {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // An error means that it ended just now.
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills it at once, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// Asks it to stop, waits, and kills it if it does not.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(self.stop);
        let deadline = Instant::now() + STOPPED;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            sleep(POLL);
        }
        self.kill()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LOG_TAIL_LINES)).copied().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing more can be done about a process that cannot be stopped.
        let _ = self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start("shell", command, &folder.join("log"), Signal::TERM).unwrap()
    }

    #[test]
    fn an_early_end_shows_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let error = shell("echo no such port; exit 3", folder.path()).wait_until(|| false).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit status: 3") && text.contains("no such port"), "{text}");
    }

    #[test]
    fn dropping_stops_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let process = shell("exec sleep 600", folder.path());
        let proc = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(proc.exists());
        drop(process);
        assert!(!proc.exists());
    }
}
