//! The control plane beside a gate that works: what psql did is listed, searched, followed and ended, and
//! what people do there is recorded like everything else.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{
    Build, Gate, GateConfig, GateTarget, Policies, Postgres, Version, cache_folder, need,
};
use serde_json::Value;

use super::tour::Endpoint;

const PATIENCE: Duration = Duration::from_secs(30);

const POLICIES: &str = r#"
@id("everything")
permit (principal, action, resource);

@id("never-drop") @reason("tables stay")
forbid (principal, action == Action::"sql:drop", resource);

@id("vendors-work-and-look-at-nothing")
forbid (principal in Group::"demo:vendors", action in [Action::"control:read", Action::"control:operate"], resource);
"#;

struct Scene {
    // Dropped in this order: the gate ends its sessions before their target goes away.
    gate: Gate,
    issuer: Issuer,
    postgres: Postgres,
}

fn scene() -> Scene {
    let postgres = Postgres::start(Version::V18).unwrap();
    let issuer = Issuer::start_blocking().unwrap();
    let mut config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
    config.policies = Policies::Text(POLICIES.to_owned());
    config.recording = String::from("result_bytes = 4096\n");
    let gate = Gate::start(Build::Debug, config).unwrap();
    Scene { gate, issuer, postgres }
}

impl Scene {
    fn token(&self, name: &str, group: &str) -> String {
        self.issuer.mint(&Claims::new(name).groups([group]).email(&format!("{name}@example.com")))
    }

    fn psql(&self, statements: &str) -> Command {
        let mut psql = Command::new(self.postgres.program("psql"));
        psql.args(["-X", "-q", "-c", statements]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Endpoint::gate(&self.gate, self.token("vendor", "vendors")).apply(&mut psql);
        psql
    }

    /// Asks the API; the status and what it said.
    fn ask(&self, token: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let python = need(cache_folder().join("python/bin/python"), "drivers").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients/api.py");
        let mut asking = Command::new(python);
        asking.arg(script).arg(format!("{}{path}", self.gate.control_url())).args(body);
        asking.env("API_TOKEN", token).env("API_AUTHORITY", self.gate.authority());
        let output = asking.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (status, text) = said.split_once('\n').unwrap_or_else(|| panic!("{output:?}"));
        (status.parse().unwrap(), serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}")))
    }

    fn seen(&self, path: &str) -> Value {
        let (status, said) = self.ask(&self.token("dana", "dba"), path, None);
        assert_eq!(status, 200, "{path}: {said}");
        said
    }

    /// The sessions of a list, once there are so many.
    fn sessions(&self, query: &str, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let listed = self.seen(&format!("/v1/sessions?{query}"))["sessions"].as_array().unwrap().clone();
            if listed.len() == count {
                return listed;
            }
            assert!(begun.elapsed() < PATIENCE, "{query}: {listed:?}\n{}", self.gate.log());
            sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn what_psql_did_is_listed_searched_and_read() {
    let scene = scene();
    assert!(scene.psql("CREATE TABLE parts_2024 (id int); SELECT 'a value' AS word").status().unwrap().success());
    assert!(!scene.psql("DROP TABLE parts_2024").status().unwrap().success());
    let found = scene.sessions("q=parts_2024&state=ended", 2);
    // The latest first.
    assert_eq!((found[0]["denied"].as_u64(), found[1]["denied"].as_u64()), (Some(1), Some(0)));
    assert_eq!(found[0]["identity"]["name"], "vendor@example.com");
    let denied = scene.seen("/v1/operations?decision=deny");
    assert_eq!(denied["operations"][0]["statement"], "DROP TABLE parts_2024");
    assert_eq!(denied["operations"][0]["policies"][0], "never-drop");
    let id = found[1]["id"].as_str().unwrap();
    let events = scene.seen(&format!("/v1/sessions/{id}/events"));
    assert!(events["ended"].as_bool().unwrap());
    assert!(events["events"].to_string().contains(r#"[["a value"]]"#), "{events}");
    // Who did it may not look.
    let vendor = scene.token("vendor", "vendors");
    assert_eq!(scene.ask(&vendor, "/v1/sessions", None).0, 403);
    assert_eq!(scene.ask(&vendor, &format!("/v1/sessions/{id}/events"), None).0, 404);
    assert_eq!(scene.ask("", "/v1/sessions", None).0, 401);
}

#[test]
fn running_session_is_ended_and_that_is_recorded() {
    let scene = scene();
    let running = scene.psql("SELECT pg_sleep(60)").spawn().unwrap();
    let live = scene.sessions("state=live&q=pg_sleep", 1);
    let id = live[0]["id"].as_str().unwrap();
    let path = format!("/v1/sessions/{id}/terminate");
    let body = Some(r#"{"reason": "an incident"}"#);
    assert_eq!(scene.ask(&scene.token("vendor", "vendors"), &path, body).0, 404);
    let begun = Instant::now();
    assert_eq!(scene.ask(&scene.token("dana", "dba"), &path, body).0, 200);
    let output = running.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "it went on");
    assert!(String::from_utf8_lossy(&output.stderr).contains("revoked"), "{output:?}");
    let entry = scene.seen("/v1/audit")["entries"][0].clone();
    assert_eq!(
        (entry["action"].as_str(), entry["detail"].as_str()),
        (Some("control:sessions:end"), Some("an incident"))
    );
    assert_eq!(entry["outcome"], "done");
    // It is a recording like every other.
    let verified = scene.gate.command(&["verify"]).arg(scene.gate.recordings()).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let replayed = scene.gate.command(&["replay", entry["session"].as_str().unwrap()]).output().unwrap();
    let replayed = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(replayed.contains("an incident") && replayed.contains("control:sessions:end"), "{replayed}");
}
