//! Nobody has a password: people log in at a certified identity provider by the command line, and psql gets
//! to its target through the gate's tunnel.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use portcullis_testkit::servers::{
    Build, Gate, GateConfig, GateTarget, OidcAccount, OidcProvider, Policies, Postgres, Version, cache_folder, need,
};
use serde_json::Value;
use tempfile::TempDir;

const POLICIES: &str = r#"
@id("dbas-work")
permit (principal in Group::"demo:dba", action, resource);

@id("never-drop") @reason("tables stay")
forbid (principal, action == Action::"sql:drop", resource);
"#;

const COMMAND_LINE: &str =
    "[identity.oidc.command_line]\nclient_id = \"portcullis-cli\"\nscope = \"openid gate\"\ntoken = \"access\"\n";

struct Scene {
    // Dropped in this order: the gate ends its sessions before their target goes away.
    gate: Gate,
    _provider: OidcProvider,
    postgres: Postgres,
    home: TempDir,
}

impl Scene {
    fn start() -> Self {
        let postgres = Postgres::start(Version::V18).unwrap();
        let dana = OidcAccount { name: "dana", email: "dana@example.com", groups: &["dba"] };
        let vera = OidcAccount { name: "vera", email: "vera@example.com", groups: &["vendors"] };
        let provider = OidcProvider::start("https://127.0.0.1:1/login/callback", &[dana, vera]).unwrap();
        let mut config = GateConfig::open(&provider.url(), vec![GateTarget::shop(&postgres)]);
        config.policies = Policies::Text(POLICIES.to_owned());
        COMMAND_LINE.clone_into(&mut config.more);
        let gate = Gate::start(Build::Debug, config).unwrap();
        Self { gate, _provider: provider, postgres, home: TempDir::new().unwrap() }
    }

    /// A command of somebody with no token, no password and a home of their own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.gate.control_command("", arguments);
        command.env_remove("PORTCULLIS_TOKEN").env("XDG_STATE_HOME", self.home.path());
        for inherited in ["PGPASSWORD", "PGUSER", "PGSSLMODE", "PGSERVICE", "PGPASSFILE", "DISPLAY", "WAYLAND_DISPLAY"]
        {
            command.env_remove(inherited);
        }
        command.env("HOME", self.home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// psql by `connect --exec`, in the database of the target.
    fn psql(&self, more: &[&str]) -> Output {
        let psql = self.postgres.program("psql");
        let fixed = ["connect", "shop", "--exec", "--", psql.to_str().unwrap(), "-X", "-A", "-t", "-w"];
        let database = ["-U", "anybody", "-d", Postgres::DATABASE];
        self.run(&[&fixed[..], &database, more].concat())
    }

    /// Logs in by a device: the code is typed at the provider's page.
    fn log_in_by_device(&self, name: &str) {
        let mut login = self.command(&["login", "--device"]).spawn().unwrap();
        let mut said = BufReader::new(login.stdout.take().unwrap());
        let (mut url, mut code, mut line) = (String::new(), String::new(), String::new());
        while code.is_empty() && said.read_line(&mut line).unwrap() > 0 {
            if let Some(rest) = line.strip_prefix("Open ") {
                rest.split(' ').next().unwrap().clone_into(&mut url);
            } else if let Some(typed) = line.strip_prefix("  ") {
                typed.trim().clone_into(&mut code);
            }
            line.clear();
        }
        assert!(!code.is_empty(), "no code: {}", complaint(&mut login));
        let page = human(&[&url, name, &code]);
        assert!(page.contains("Success") || page.contains("success"), "{page}");
        ends_well(login, said);
    }

    /// Logs in by the browser, which is led back to the command.
    fn log_in_by_browser(&self, name: &str) {
        let mut login = self.command(&["login"]).spawn().unwrap();
        let mut said = BufReader::new(login.stdout.take().unwrap());
        let (mut url, mut line) = (String::new(), String::new());
        while url.is_empty() && said.read_line(&mut line).unwrap() > 0 {
            if line.trim().starts_with("http") {
                line.trim().clone_into(&mut url);
            }
            line.clear();
        }
        assert!(!url.is_empty(), "no URL: {}", complaint(&mut login));
        let page = human(&[&url, name]);
        assert!(page.contains("You may close this window"), "{page}");
        ends_well(login, said);
    }
}

fn complaint(child: &mut Child) -> String {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    said
}

fn ends_well(mut login: Child, mut said: BufReader<impl Read>) {
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(login.wait().unwrap().success(), "{rest}{}", complaint(&mut login));
    assert!(rest.contains("You are "), "{rest}");
}

/// What the last of the provider's pages says to somebody.
fn human(arguments: &[&str]) -> String {
    let python = need(cache_folder().join("python/bin/python"), "drivers").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients/human.py");
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn psql_works_without_a_password_anywhere_once_its_human_has_logged_in() {
    let scene = Scene::start();
    let stranger = scene.psql(&["-c", "SELECT 1"]);
    assert_eq!(stranger.status.code(), Some(2), "{stranger:?}");
    assert!(err(&stranger).contains("portcullis login"), "{}", err(&stranger));

    scene.log_in_by_device("dana");
    let asked = scene.psql(&["-c", "SELECT 1"]);
    assert_eq!((asked.status.code(), out(&asked).as_str()), (Some(0), "1"), "{}", err(&asked));
    let denied =
        scene.psql(&["-v", "VERBOSITY=verbose", "-c", "CREATE TABLE parts (id int)", "-c", "DROP TABLE parts"]);
    assert_eq!(denied.status.code(), Some(1), "{denied:?}");
    assert!(err(&denied).contains("42501") && err(&denied).contains("tables stay"), "{}", err(&denied));
    let left = scene.psql(&["-c", "SELECT count(*) FROM parts"]);
    assert_eq!(out(&left), "0", "{}", err(&left));

    // What is recorded names the human, though nobody had a password.
    let recorded = out(&scene.gate.command(&["sessions"]).output().unwrap());
    assert!(recorded.lines().filter(|line| line.contains("dana@example.com")).count() >= 3, "{recorded}");
    assert!(recorded.contains("1 denied"), "{recorded}");
    assert!(!scene.gate.log().contains("eyJ"), "a token is in the log");

    let gone = scene.run(&["logout"]);
    assert!(out(&gone).contains("logged out"), "{gone:?}");
    assert_eq!(scene.psql(&["-c", "SELECT 1"]).status.code(), Some(2));
}

#[test]
fn browser_leads_back_to_the_command_and_who_one_is_can_be_seen() {
    let scene = Scene::start();
    scene.log_in_by_browser("vera");
    let me: Value = serde_json::from_str(&out(&scene.run(&["whoami", "--json"]))).unwrap();
    assert_eq!((&me["name"], &me["groups"][0]), (&"vera@example.com".into(), &"demo:vendors".into()));
    // The policies say what she may, in a tunnel as anywhere.
    let refused = scene.psql(&["-c", "SELECT 1"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(err(&refused).contains("FATAL"), "{}", err(&refused));
    assert!(err(&scene.run(&["ticket", "shop"])).contains("control:tickets:make"));
    let nowhere = scene.run(&["connect", "nowhere", "--exec", "--", "true"]);
    assert!(err(&nowhere).contains("no such target"), "{nowhere:?}");
}

#[test]
fn ticket_is_a_password_that_is_good_once() {
    let scene = Scene::start();
    scene.log_in_by_device("dana");
    let made = scene.run(&["ticket", "shop"]);
    let ticket = out(&made);
    assert!(ticket.starts_with("pct_") && ticket.len() < 40, "{made:?}");
    let connect = || {
        let mut psql = Command::new(scene.postgres.program("psql"));
        psql.args(["-X", "-A", "-t", "-c", "SELECT 'by ticket'"]).stdin(Stdio::null());
        super::tour::Endpoint::gate(&scene.gate, ticket.clone()).apply(&mut psql);
        psql.output().unwrap()
    };
    let first = connect();
    assert_eq!(out(&first), "by ticket", "{}", err(&first));
    let second = connect();
    assert_eq!(second.status.code(), Some(2), "{second:?}");
    assert!(!scene.gate.log().contains(&ticket), "the ticket is in the log");
}
