//! What was recorded: listed, verified, shown, and found out where somebody changed it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::REASON;
use crate::demo::scene::Scene;

/// How long a session that has just ended may take to be sealed and signed.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);

const DENIED: &str = "DROP TABLE customers";
const ALLOWED: &str = "SELECT name FROM customers WHERE id = 1";
const SIGNED: &str = "signed to its end";

pub(super) fn listed(scene: &Scene) -> anyhow::Result<()> {
    let shown = good(scene, &["sessions"])?;
    for part in ["  agent  ", "  vendor  ", "  dba  ", "  intern  ", " denied, "] {
        ensure!(shown.contains(part), "`sessions` says nothing of `{}`:\n{shown}", part.trim());
    }
    Ok(())
}

pub(super) fn verified(scene: &Scene) -> anyhow::Result<()> {
    let shown = good(scene, &["verify", &scene.gate.recordings().to_string_lossy()])?;
    let recordings = good(scene, &["sessions"])?.lines().count();
    let expected = format!("{recordings} of {recordings} recordings intact");
    ensure!(recordings > 0 && shown.contains(&expected), "`verify` does not say `{expected}`:\n{shown}");
    Ok(())
}

pub(super) fn flipped_byte(scene: &Scene) -> anyhow::Result<()> {
    let (recording, _) = session_with(scene, DENIED)?;
    let copy = copied(scene, &recording)?;
    let changed = copy.join(recording.file_name().context("a recording has a name")?);
    let mut bytes = fs::read(&changed)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("the recording is empty")? ^= 1;
    fs::write(&changed, bytes)?;
    found_out(scene, &copy, &changed.to_string_lossy())
}

pub(super) fn removed(scene: &Scene) -> anyhow::Result<()> {
    let (recording, _) = session_with(scene, DENIED)?;
    let copy = copied(scene, &recording)?;
    let gone = copy.join(recording.file_name().context("a recording has a name")?);
    fs::remove_file(&gone)?;
    found_out(scene, &copy, &gone.to_string_lossy())
}

pub(super) fn replayed_denial(scene: &Scene) -> anyhow::Result<()> {
    let (_, shown) = session_with(scene, DENIED)?;
    let after = shown.split_once(DENIED).map_or("", |(_, after)| after);
    let decision = after.lines().find(|line| line.trim_start().starts_with("deny by"));
    let decision = decision.with_context(|| format!("`replay` shows no denial:\n{shown}"))?;
    ensure!(decision.contains("never-drop-the-shop") && decision.contains(REASON), "`replay` says `{decision}`");
    Ok(())
}

pub(super) fn replayed_read(scene: &Scene) -> anyhow::Result<()> {
    let (_, shown) = session_with(scene, ALLOWED)?;
    for part in ["allow by `agent-reads-the-shop`", "1 rows", "SELECT 1"] {
        ensure!(shown.contains(part), "`replay` says nothing of `{part}`:\n{shown}");
    }
    ensure!(!shown.contains("Ada Example"), "`replay` shows a value that nobody asked to have recorded:\n{shown}");
    Ok(())
}

/// That `verify` names this file as bad.
fn found_out(scene: &Scene, folder: &Path, file: &str) -> anyhow::Result<()> {
    let output = portcullis(scene, &["verify", &folder.to_string_lossy()])?;
    let shown = words(&output);
    ensure!(output.status.code() == Some(1), "`verify` ended with {}: {shown}", output.status);
    let named = shown.lines().any(|line| line.starts_with("FAIL") && line.contains(file));
    ensure!(named, "`verify` does not name `{file}`:\n{shown}");
    Ok(())
}

/// A copy of all recordings that verifies, with this one signed to its end.
fn copied(scene: &Scene, recording: &Path) -> anyhow::Result<PathBuf> {
    let (from, to) = (scene.gate.recordings(), scene.gate.config().with_file_name("copied"));
    let name = recording.file_name().context("a recording has a name")?.to_string_lossy().into_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        copy_folder(&from, &to)?;
        let output = portcullis(scene, &["verify", &to.to_string_lossy()])?;
        let shown = words(&output);
        let signed = shown.lines().any(|line| line.contains(&name) && line.contains(SIGNED));
        if output.status.success() && signed {
            return Ok(to);
        }
        ensure!(Instant::now() < deadline, "a copy of the recordings does not verify:\n{shown}");
        sleep(POLL);
    }
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            match fs::copy(entry.path(), target) {
                // The gate has sealed and removed it meanwhile: the copy will not verify, and is made again.
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                copied => drop(copied?),
            }
        }
    }
    Ok(())
}

/// The recording in which `statement` was asked, and what `replay` shows of it.
fn session_with(scene: &Scene, statement: &str) -> anyhow::Result<(PathBuf, String)> {
    let mut recordings: Vec<PathBuf> = fs::read_dir(scene.gate.recordings())?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rec"))
        .collect();
    recordings.sort();
    for path in recordings {
        let shown = good(scene, &["replay", &path.to_string_lossy()])?;
        if shown.contains(statement) {
            return Ok((path, shown));
        }
    }
    bail!("no recording has `{statement}`")
}

fn good(scene: &Scene, arguments: &[&str]) -> anyhow::Result<String> {
    let output = portcullis(scene, arguments)?;
    let shown = words(&output);
    ensure!(output.status.success(), "`portcullis {}` ended with {}: {shown}", arguments.join(" "), output.status);
    Ok(shown)
}

fn portcullis(scene: &Scene, arguments: &[&str]) -> anyhow::Result<Output> {
    scene.gate.command(arguments).output().context("cannot run portcullis")
}

fn words(output: &Output) -> String {
    (String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr)).into_owned()
}
