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

@id("comments-need-a-dba") @approval("demo:dba") @ttl("60s")
forbid (principal, action == Action::"sql:alter", resource);

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
    scene_with(String::new())
}

/// With further tables in the configuration.
fn scene_with(more: String) -> Scene {
    let postgres = Postgres::start(Version::V18).unwrap();
    let issuer = Issuer::start_blocking().unwrap();
    let mut config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
    config.policies = Policies::Text(POLICIES.to_owned());
    config.recording = String::from("result_bytes = 4096\n");
    config.more = more;
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
        let (status, said) = self.taken(token, path, body);
        (
            status,
            serde_json::from_slice(&said).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&said))),
        )
    }

    /// Asks the API; the status and the bytes that it gave.
    fn taken(&self, token: &str, path: &str, body: Option<&str>) -> (u16, Vec<u8>) {
        let python = need(cache_folder().join("python/bin/python"), "drivers").unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients/api.py");
        let mut asking = Command::new(python);
        asking.arg(script).arg(format!("{}{path}", self.gate.control_url())).args(body);
        asking.env("API_TOKEN", token).env("API_AUTHORITY", self.gate.authority());
        let output = asking.output().unwrap();
        let end = output.stdout.iter().position(|byte| *byte == b'\n').unwrap_or_else(|| panic!("{output:?}"));
        let (status, said) = output.stdout.split_at(end);
        (String::from_utf8_lossy(status).parse().unwrap(), said[1..].to_vec())
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
fn recording_is_taken_away_as_it_is_and_that_is_recorded() {
    let scene = scene();
    assert!(scene.psql("SELECT 'a value' AS word").status().unwrap().success());
    let id = scene.sessions("state=ended&q=word", 1)[0]["id"].as_str().unwrap().to_owned();
    let dana = scene.token("dana", "dba");
    let take = |query: &str| scene.taken(&dana, &format!("/v1/sessions/{id}/recording{query}"), None);
    let (status, sealed) = take("");
    let file = scene.gate.recordings().join(format!("{}.rec", id.rsplit('-').next().unwrap()));
    assert!(status == 200 && sealed == std::fs::read(file).unwrap(), "{status}");
    let (_, lines) = take("?format=jsonl");
    let lines = String::from_utf8(lines).unwrap();
    assert!(
        lines.contains("a value") && lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{lines}"
    );
    let (_, operations) = take("?format=ocsf");
    assert!(String::from_utf8(operations).unwrap().contains(r#""query_string":"SELECT 'a value' AS word""#));
    let (status, why) = take("?format=asciicast");
    assert!(status == 422 && String::from_utf8_lossy(&why).contains("no-terminal"), "{status}");
    assert_eq!(scene.taken(&scene.token("vendor", "vendors"), &format!("/v1/sessions/{id}/recording"), None).0, 404);
    let entries = scene.seen("/v1/audit")["entries"].as_array().unwrap().clone();
    let details: Vec<&str> = entries.iter().filter_map(|entry| entry["detail"].as_str()).collect();
    assert_eq!(details, ["asciicast", "ocsf", "jsonl", "sealed"]);
}

#[test]
fn receiver_is_told_that_something_waits() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let url = folder.path().join("url");
    std::fs::write(&url, format!("http://{}/t0k3n", listener.local_addr().unwrap())).unwrap();
    let more = format!(
        "[[control.notify]]\nname = \"on-call\"\nkind = \"webhook\"\nurl = {{ file = {url:?} }}\nsecret = {{ file = {secret:?} }}\n"
    );
    let scene = scene_with(more);
    let mut waiting = scene.psql("COMMENT ON SCHEMA public IS 'x'").spawn().unwrap();
    let told = request(&listener);
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /t0k3n HTTP/1.1") && head.contains("webhook-signature: v1,"), "{head}");
    let said: Value = serde_json::from_str(body).unwrap();
    assert_eq!((said["type"].as_str(), said["ask"]["target"].as_str()), (Some("ask.pending"), Some("shop")));
    assert!(!body.contains("COMMENT"), "{body}");
    let ask = said["ask"]["id"].as_str().unwrap();
    let reason = Some(r#"{"reason": "not now"}"#);
    assert_eq!(scene.ask(&scene.token("dana", "dba"), &format!("/v1/asks/{ask}/deny"), reason).0, 200);
    assert!(request(&listener).contains(r#""type":"ask.denied""#));
    assert!(!waiting.wait().unwrap().success());
    assert!(!scene.gate.log().contains("t0k3n"), "{}", scene.gate.log());
}

/// Takes one request, and says that it is well.
fn request(listener: &std::net::TcpListener) -> String {
    use std::io::{Read, Write};
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = Vec::new();
    // The body is one JSON object, and nothing follows it.
    while request.last() != Some(&b'}') {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&piece[..read]);
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").unwrap();
    String::from_utf8(request).unwrap()
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
