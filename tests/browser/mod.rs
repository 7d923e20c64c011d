//! The page in a browser, in front of a gate that works: a certified issuer, a real psql, a real shell. What
//! the browser does stands in `gate.test.mjs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{
    Build, Gate, GateConfig, GateTarget, OidcAccount, OidcProvider, OpenSsh, Policies, Postgres, Version, free_port,
    need,
};

const POLICIES: &str = r#"
@id("everything")
permit (principal, action, resource);

@id("deletes-need-a-dba") @approval("okta:dba") @ttl("60s") @reason("a delete needs a DBA's yes")
forbid (principal, action == Action::"sql:delete", resource);

@id("never-drop") @reason("tables stay")
forbid (principal, action == Action::"sql:drop", resource);

@id("vendors-look-at-nothing")
forbid (principal in Group::"okta:vendors", action in [Action::"control:read", Action::"control:operate"], resource);
"#;

/// Keys as OpenSSH makes them: the private one, and the public one.
fn key(folder: &Path, name: &str) -> (String, String) {
    let file = folder.join(name);
    let keygen = need("/usr/bin/ssh-keygen", "ssh").unwrap();
    let made = Command::new(keygen).args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    (fs::read_to_string(file).unwrap(), public.trim().to_owned())
}

#[test]
fn people_answer_watch_end_search_and_replay_in_a_browser() {
    let work = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(Version::V18).unwrap();
    let table = "CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT n, 'a note' FROM generate_series(1, 9) n";
    postgres.sql_as_app(table).unwrap();
    let ((host, host_public), (_, authority), (_, own)) =
        (key(work.path(), "host"), key(work.path(), "authority"), key(work.path(), "gate"));
    let sshd = OpenSsh::start(&host, &authority).unwrap();
    let (control, ssh) = (free_port().unwrap(), free_port().unwrap());
    let people = [
        OidcAccount { name: "dana", email: "dana@example.com", groups: &["dba"] },
        OidcAccount { name: "vera", email: "vera@example.com", groups: &["vendors"] },
    ];
    let provider = OidcProvider::start(&format!("https://localhost:{control}/login/callback"), &people).unwrap();
    let secret = OpenSsh::keep(work.path(), "page-secret", OidcProvider::PAGE_SECRET).unwrap();
    let issuer = Issuer::start_blocking().unwrap();
    let mut config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
    config.policies = Policies::Text(POLICIES.to_owned());
    config.recording = String::from("result_bytes = 65536\n");
    config.control_port = Some(control);
    config.more = format!(
        "[[identity.oidc]]\nname = \"okta\"\nissuer = \"{}\"\naudience = \"portcullis\"\n\
         sign_in = {{ client_id = \"{}\", client_secret = {{ file = \"{}\" }}, scope = \"openid\" }}\n\n\
         [[target]]\nname = \"host\"\nprotocol = \"ssh\"\nlisten = \"127.0.0.1:{ssh}\"\naddress = \"127.0.0.1:{}\"\n\
         tls = {{ mode = \"disable\" }}\nhost_key = {{ file = \"{}\" }}\ntarget_keys = [\"{host_public}\"]\n\
         logins = [{{ user = \"root\", authority = {{ file = \"{}\" }} }}]\n",
        provider.url(),
        OidcProvider::PAGE,
        secret.display(),
        sshd.port(),
        work.path().join("gate").display(),
        work.path().join("authority").display(),
    );
    let gate = Gate::start(Build::Debug, config).unwrap();
    let known = OpenSsh::keep(work.path(), "known", &format!("[localhost]:{ssh} {own}\n")).unwrap();
    let token = issuer.mint(&Claims::new("vendor").groups(["vendors"]).email("vendor@example.com"));

    let mut browser = Command::new("node");
    browser.args(["--test", "--test-reporter=spec", "--test-timeout=60000", "--test-force-exit"]);
    browser.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/gate.test.mjs"));
    browser.env("PORTCULLIS_UI_URL", gate.control_url()).env("GATE_PSQL", postgres.program("psql"));
    browser.env("GATE_PORT", gate.port("shop").unwrap().to_string()).env("GATE_AUTHORITY", gate.authority());
    browser.env("GATE_SSH_PORT", ssh.to_string()).env("GATE_SSH_KNOWN", known).env("GATE_TOKEN", token);
    let output = browser.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{}", gate.log());
}
