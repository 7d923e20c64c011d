//! Statements that wait for humans, as psql and a JDBC program meet them: every way in which the wait
//! can end, answered with the commands that approvers use.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::{Duration, Instant};

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{
    Build, Gate, GateConfig, GateTarget, Policies, Postgres, Version, cache_folder, need,
};
use serde_json::Value;

use super::tour::Endpoint;

const PATIENCE: Duration = Duration::from_secs(60);

const POLICIES: &str = r#"
@id("everything")
permit (principal, action, resource);

@id("deletes-need-a-dba") @approval("demo:dba") @ttl("60s") @reason("a delete needs a DBA's yes")
forbid (principal, action == Action::"sql:delete", resource);

@id("updates-need-one-soon") @approval("demo:dba") @ttl("5s") @reason("an update needs a DBA's yes")
forbid (principal, action == Action::"sql:update", resource);

@id("truncates-need-two") @approval("demo:dba") @quorum("2") @ttl("60s") @reason("a truncate needs two")
forbid (principal, action == Action::"sql:truncate", resource);
"#;

struct Scene {
    // Dropped in this order: the gate ends its sessions before their target goes away.
    gate: Gate,
    issuer: Issuer,
    postgres: Postgres,
    work: tempfile::TempDir,
}

/// A client program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Psql,
    Pgjdbc,
}

const BOTH: [By; 2] = [By::Psql, By::Pgjdbc];

const DELETE: &str = "DELETE FROM held WHERE id = ?;";
const UPDATE: &str = "UPDATE held SET id = id WHERE id = ?;";

fn scene() -> Scene {
    let postgres = Postgres::start(Version::V18).unwrap();
    postgres
        .sql_as_app("CREATE TABLE held (id int PRIMARY KEY); INSERT INTO held SELECT generate_series(1, 9)")
        .unwrap();
    let issuer = Issuer::start_blocking().unwrap();
    let mut config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
    config.policies = Policies::Text(POLICIES.to_owned());
    let gate = Gate::start(Build::Debug, config).unwrap();
    Scene { gate, issuer, postgres, work: tempfile::tempdir().unwrap() }
}

impl Scene {
    fn token(&self, name: &str, group: &str) -> String {
        self.issuer.mint(&Claims::new(name).groups([group]).email(&format!("{name}@example.com")))
    }

    /// Starts a client whose statement has `?` for its one value.
    fn begin(&self, by: By, statement: &str, value: u32) -> Running {
        let cancel = self.work.path().join("cancel");
        let _ = fs::remove_file(&cancel);
        let mut command = match by {
            By::Psql => {
                let mut psql = Command::new(self.postgres.program("psql"));
                psql.args(["-X", "-q", "-v", "VERBOSITY=verbose", "-f", "-"]);
                psql
            }
            By::Pgjdbc => {
                let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients/pgjdbc/Held.java");
                let mut java = Command::new("java");
                java.arg("-cp").arg(need(cache_folder().join("java/postgresql.jar"), "drivers").unwrap()).arg(program);
                java.env("HELD_STATEMENT", statement).env("HELD_VALUE", value.to_string()).env("HELD_CANCEL", &cancel);
                java
            }
        };
        Endpoint::gate(&self.gate, self.token("vendor", "vendors")).apply(&mut command);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        if by == By::Psql {
            let text = statement.replace('?', &value.to_string());
            writeln!(input, "{text}\n\\echo rows: :ROW_COUNT\nSELECT 'still here';").unwrap();
        }
        drop(input);
        Running { child, by, cancel }
    }

    /// Runs a command as a DBA called `name`.
    fn command(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.gate.control_command(&self.token(name, "dba"), arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(said) } else { Err(wrong) }
    }

    /// The one ask that is pending, once there is one.
    fn pending(&self) -> Value {
        let begun = Instant::now();
        loop {
            let listed = self.command("dana", &["asks", "--json"]).unwrap();
            if let Some(line) = listed.lines().next() {
                return serde_json::from_str(line).unwrap();
            }
            assert!(begun.elapsed() < PATIENCE, "nothing waits for an approval:\n{}", self.gate.log());
            sleep(Duration::from_millis(20));
        }
    }

    fn answer(&self, verb: &str, id: &str) {
        self.command("dana", &[verb, id, "--reason", "looked at it"]).unwrap();
    }

    fn state(&self, id: &str) -> String {
        let shown: Value = serde_json::from_str(&self.command("dana", &["show", id, "--json"]).unwrap()).unwrap();
        shown["state"].as_str().unwrap().to_owned()
    }

    fn left(&self) -> String {
        self.postgres.sql_as_app("SELECT count(*) FROM held").unwrap().trim().to_owned()
    }
}

/// A client that runs.
struct Running {
    child: Child,
    by: By,
    cancel: std::path::PathBuf,
}

impl Running {
    /// Cancels the statement as this client's user would.
    fn cancel(&self) {
        match self.by {
            By::Psql => {
                let id = rustix::process::Pid::from_child(&self.child);
                rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
            }
            By::Pgjdbc => fs::write(&self.cancel, "").unwrap(),
        }
    }

    /// What the client saw, to its end.
    fn saw(self, what: &str) -> String {
        let output = self.child.wait_with_output().unwrap();
        let saw = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        println!("{what}, {:?} saw:\n{saw}", self.by);
        saw
    }
}

/// That the client saw all of these.
fn expect(saw: &str, parts: &[&str]) {
    for part in parts {
        assert!(saw.contains(part), "`{part}` is not in:\n{saw}");
    }
}

#[test]
fn approved_statement_goes_on_and_its_client_is_told_where_it_waited() {
    let scene = scene();
    for (number, by) in [(1, BOTH[0]), (2, BOTH[1])] {
        let running = scene.begin(by, DELETE, number);
        let ask = scene.pending();
        let id = ask["id"].as_str().unwrap();
        let shown = scene.command("dana", &["show", id]).unwrap();
        expect(
            &shown,
            &[
                "DELETE FROM held WHERE id = ",
                "vendor@example.com",
                "deletes-need-a-dba",
                "one human of demo:dba",
                "sql:delete",
                "about 1 rows, by the target's own estimate",
            ],
        );
        if by == By::Pgjdbc {
            expect(&shown, &["$1 = ", &number.to_string()]);
        }
        scene.answer("approve", id);
        let saw = running.saw("approved");
        expect(
            &saw,
            &["waits for an approval", &format!("{}/asks/{id}", scene.gate.control_url()), "rows: 1", "still here"],
        );
        assert_eq!((scene.left(), scene.state(id)), ((9 - number).to_string(), "used".into()));
    }
    // Who said yes, when and why is in the recordings.
    let sessions = scene.gate.command(&["sessions", "--json"]).output().unwrap();
    let sessions = String::from_utf8_lossy(&sessions.stdout).into_owned();
    let replayed: String = sessions
        .lines()
        .map(|line| {
            let session: Value = serde_json::from_str(line).unwrap();
            let replay = scene.gate.command(&["replay", session["session"].as_str().unwrap()]).output().unwrap();
            String::from_utf8_lossy(&replay.stdout).into_owned()
        })
        .collect();
    expect(&replayed, &["dana@example.com at ", "looked at it"]);
}

#[test]
fn denied_expired_and_withdrawn_statements_are_errors_after_which_the_session_goes_on() {
    let scene = scene();
    for by in BOTH {
        let running = scene.begin(by, DELETE, 1);
        let ask = scene.pending();
        scene.answer("deny", ask["id"].as_str().unwrap());
        expect(&running.saw("denied"), &["42501", "looked at it", "still here"]);
        assert_eq!(scene.state(ask["id"].as_str().unwrap()), "denied");

        let running = scene.begin(by, UPDATE, 1);
        let ask = scene.pending();
        expect(&running.saw("expired"), &["42501", "approval-expired", "still here"]);
        assert_eq!(scene.state(ask["id"].as_str().unwrap()), "expired");

        let running = scene.begin(by, DELETE, 1);
        let ask = scene.pending();
        running.cancel();
        expect(&running.saw("withdrawn"), &["57014", "canceling statement due to user request"]);
        let begun = Instant::now();
        while scene.state(ask["id"].as_str().unwrap()) != "withdrawn" {
            assert!(begun.elapsed() < PATIENCE, "the ask was not withdrawn");
            sleep(Duration::from_millis(20));
        }
    }
    assert_eq!(scene.left(), "9");
}

#[test]
fn revoked_approval_denies_and_revoked_session_ends_within_two_seconds() {
    let scene = scene();
    for by in BOTH {
        let running = scene.begin(by, DELETE, 1);
        let ask = scene.pending();
        scene.command("erin", &["revoke", "--ask", ask["id"].as_str().unwrap(), "--reason", "wrong table"]).unwrap();
        expect(&running.saw("revoked"), &["42501", "wrong table", "still here"]);

        let mut running = scene.begin(by, DELETE, 1);
        let ask = scene.pending();
        let begun = Instant::now();
        let said = scene.command("erin", &["revoke", "--session", ask["session"].as_str().unwrap()]).unwrap();
        assert!(said.starts_with("1 sessions"), "{said}");
        let begun_waiting = begun.elapsed();
        while running.child.try_wait().unwrap().is_none() {
            // Java itself takes a while to end.
            assert!(begun.elapsed() < begun_waiting + Duration::from_secs(5), "the session goes on");
            sleep(Duration::from_millis(20));
        }
        expect(&running.saw("session revoked"), &["57P01"]);
    }
    assert_eq!(scene.left(), "9");
}

#[test]
fn ask_survives_a_kill_of_the_gate_and_its_approval_is_used_once() {
    let mut scene = scene();
    let running = scene.begin(By::Psql, DELETE, 1);
    let first = scene.pending();
    scene.gate.kill().unwrap();
    running.saw("gate killed");
    scene.gate.start_again().unwrap();
    let again = scene.pending();
    assert_eq!(first["id"], again["id"]);
    // The client asks again, joins the ask, and goes on by the one approval.
    let running = scene.begin(By::Psql, DELETE, 1);
    sleep(Duration::from_millis(200));
    scene.answer("approve", first["id"].as_str().unwrap());
    expect(&running.saw("asked again"), &[first["id"].as_str().unwrap(), "rows: 1"]);
    assert_eq!(scene.left(), "8");
    let running = scene.begin(By::Psql, DELETE, 1);
    let other = scene.pending();
    assert_ne!(first["id"], other["id"]);
    scene.answer("deny", other["id"].as_str().unwrap());
    expect(&running.saw("asked once more"), &["42501"]);
}

#[test]
fn two_humans_are_two_humans_and_never_the_requester() {
    let scene = scene();
    let running = scene.begin(By::Psql, "TRUNCATE held;", 0);
    let ask = scene.pending();
    let approve = ["approve", ask["id"].as_str().unwrap(), "--reason", "looked at it"];
    for (name, refused) in [("vendor", Some("own-ask")), ("dana", None), ("dana", Some("answered-already"))] {
        let said = scene.command(name, &approve);
        match refused {
            Some(code) => assert!(said.as_ref().is_err_and(|said| said.contains(code)), "{name}: {said:?}"),
            None => assert!(said.as_ref().is_ok_and(|said| said.contains("pending")), "{name}: {said:?}"),
        }
    }
    let stale = scene.issuer.mint(&Claims::new("sasha").groups(["dba"]).set("auth_time", 1_000_000_000));
    let said = scene.gate.control_command(&stale, &approve).output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("stale-login"), "{said:?}");
    let expired = scene.issuer.mint(&Claims::new("sasha").groups(["dba"]).expired());
    let said = scene.gate.control_command(&expired, &approve).output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("token-expired"), "{said:?}");
    assert_eq!(scene.left(), "9");
    scene.command("erin", &approve).unwrap();
    expect(&running.saw("approved by two"), &["still here"]);
    assert_eq!(scene.left(), "0");
}

#[test]
fn approver_who_watches_sees_the_ask_come_and_go() {
    let scene = scene();
    let token = scene.token("dana", "dba");
    let mut watching = scene.gate.control_command(&token, &["asks", "--watch"]);
    let mut watching = watching.stdout(Stdio::piped()).spawn().unwrap();
    let (tell, seen) = channel();
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines().map_while(Result::ok);
    std::thread::spawn(move || lines.for_each(|line| drop(tell.send(line))));
    let line = || seen.recv_timeout(PATIENCE).unwrap();
    let running = scene.begin(By::Psql, DELETE, 1);
    let shown = line();
    assert!(shown.contains("pending") && shown.contains("DELETE FROM held"), "{shown}");
    let id = shown.split(' ').next().unwrap();
    scene.answer("approve", id);
    // What is shown is how the ask is by then: the client may have used the approval already.
    let mut next = line();
    if next.contains("approved") {
        next = line();
    }
    assert!(next.starts_with(id) && next.contains("used"), "{next}");
    drop(running);
    watching.kill().unwrap();
    watching.wait().unwrap();
}
