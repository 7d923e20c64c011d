//! `kill -9` of the gate in the middle of a load: whatever the target executed is in a recording.
use std::collections::HashSet;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{Build, Gate, GateConfig, GateTarget, Postgres, Version};
use serde_json::Value;

use super::tour::Endpoint;

/// Clients that run at the time of the kill.
const CLIENTS: &str = "8";

/// Statements that the target must have executed before the kill.
const ENOUGH: usize = 3_000;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn whatever_the_target_executed_before_a_kill_is_recorded() {
    let settings = [("log_statement", "'all'"), ("log_line_prefix", "'%a '")];
    let postgres = Postgres::start_with(Version::V15, &settings).unwrap();
    let issuer = Issuer::start_blocking().unwrap();
    let config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
    let mut gate = Gate::start(Build::Debug, config).unwrap();
    let mut load = pgbench(&postgres, &Endpoint::gate(&gate, issuer.mint(&Claims::new("load"))));
    wait_until(|| executed(&postgres).len() >= ENOUGH);
    gate.kill().unwrap();
    load.wait().unwrap();
    // What reached the target's socket before the kill may still be on its way to its log.
    postgres.sql("select 1").unwrap();
    let executed = executed(&postgres);

    gate.start_again().unwrap();
    gate.stop().unwrap();
    let verified = run(gate.command(&["verify"]).arg(gate.recordings()));
    let (recorded, recovered) = recorded(&gate);
    let missing: Vec<_> = executed.difference(&recorded).collect();
    assert!(missing.is_empty(), "{} of {} statements are not recorded: {missing:?}", missing.len(), executed.len());
    assert!(recovered > 0, "no recording says that it was recovered:\n{verified}");
}

/// A load of statements of which no two are alike.
fn pgbench(postgres: &Postgres, endpoint: &Endpoint) -> Child {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), "\\set mark random(1, 9000000000000000)\nselect :mark as mark;\n").unwrap();
    let mut command = Command::new(postgres.program("pgbench"));
    endpoint.apply(&mut command);
    command.args(["-n", "-M", "simple", "-c", CLIENTS, "-j", "2", "-T", "300", "-f"]).arg(script.path());
    let load = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // pgbench reads its script before it connects; a moment later the file is not needed any more.
    sleep(Duration::from_secs(1));
    load
}

/// The statements of the load that the target logged.
fn executed(postgres: &Postgres) -> HashSet<String> {
    let log = postgres.log();
    let statements = log.lines().filter_map(|line| line.split_once("statement: ")).map(|(_, text)| text);
    statements.filter(|text| text.ends_with(" as mark;")).map(str::to_owned).collect()
}

/// The statements in all recordings, and how many recordings were recovered.
fn recorded(gate: &Gate) -> (HashSet<String>, usize) {
    let sessions = run(&mut gate.command(&["sessions", "--json"]));
    let mut statements = HashSet::new();
    let mut recovered = 0;
    for session in sessions.lines() {
        let session: Value = serde_json::from_str(session).unwrap();
        let id = session["session"].as_str().unwrap_or_else(|| panic!("a session without an id: {session}"));
        let events = run(&mut gate.command(&["replay", id, "--json"]));
        for line in events.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            statements.extend(event["event"]["operation"]["statement"].as_str().map(str::to_owned));
            recovered += usize::from(event["event"].get("recovered").is_some());
        }
    }
    (statements, recovered)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn wait_until(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "the load does not get going");
        sleep(Duration::from_millis(100));
    }
}
