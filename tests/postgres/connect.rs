//! Nobody has a password: people log in at a certified identity provider by the command line, and psql gets
//! to its target through the gate's tunnel.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::{Duration, Instant};

use portcullis_testkit::servers::{
    Build, Gate, GateConfig, GateTarget, OidcAccount, OidcProvider, Policies, Postgres, Version, cache_folder, need,
};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

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
    let targets = out(&scene.run(&["targets"]));
    assert!(targets.starts_with("shop  postgres  127.0.0.1:"), "{targets}");
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

#[test]
fn interrupt_cancels_the_statement_through_the_tunnel_and_the_exit_code_is_the_commands() {
    let scene = Scene::start();
    scene.log_in_by_device("dana");
    let psql = scene.postgres.program("psql");
    let mut command = scene.command(&["connect", "shop", "--exec", "--", psql.to_str().unwrap()]);
    command.args(["-X", "-w", "-U", "anybody", "-d", Postgres::DATABASE, "-c", "SELECT pg_sleep(60)"]);
    let running = command.process_group(0).spawn().unwrap();
    let begun = Instant::now();
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    while scene.postgres.sql(asleep).unwrap().trim() != "1" {
        assert!(begun.elapsed() < PATIENCE, "it does not sleep: {}", scene.gate.log());
        sleep(Duration::from_millis(50));
    }
    // As a terminal does it: everybody in the foreground hears of it.
    let group = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    kill_process_group(group, Signal::INT).unwrap();
    let ended = running.wait_with_output().unwrap();
    assert!(err(&ended).contains("canceling statement due to user request"), "{}", err(&ended));
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(scene.run(&["connect", "shop", "--exec", "--", "sh", "-c", "exit 7"]).status.code(), Some(7));
}

#[test]
fn login_is_refreshed_once_however_many_commands_see_it_end() {
    let scene = Scene::start();
    scene.log_in_by_device("dana");
    let folder = scene.home.path().join("portcullis");
    let files = || std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let file = files().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    let kept = || serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).unwrap();
    let first = kept();
    // It ends in a moment.
    let mut ending = first.clone();
    ending["ends"] = (first["ends"].as_u64().unwrap() - 3_590).into();
    std::fs::write(&file, ending.to_string()).unwrap();
    // This provider gives a refresh token once, and takes the whole login back where one is shown twice.
    let asking: Vec<_> = (0..6).map(|_| scene.command(&["whoami"]).spawn().unwrap()).collect();
    for command in asking {
        let answer = command.wait_with_output().unwrap();
        assert!(answer.status.success() && out(&answer).contains("dana@example.com"), "{}", err(&answer));
    }
    let next = kept();
    assert_ne!((&first["token"], &first["refresh"]), (&next["token"], &next["refresh"]));
    assert!(next["ends"].as_u64() >= first["ends"].as_u64());
    assert_eq!(out(&scene.psql(&["-c", "SELECT 1"])), "1");
    assert!(files().all(|path| path.metadata().unwrap().permissions().mode() & 0o077 == 0), "others can read a login");
}

#[test]
fn sessions_are_followed_as_they_begin_and_end() {
    let scene = Scene::start();
    scene.log_in_by_device("dana");
    let mut following = scene.command(&["sessions", "--follow"]).spawn().unwrap();
    let (tell, seen) = channel();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines().map_while(Result::ok);
    std::thread::spawn(move || lines.for_each(|line| drop(tell.send(line))));
    let mut talking =
        scene.command(&["connect", "shop", "--exec", "--", scene.postgres.program("psql").to_str().unwrap()]);
    talking.args([
        "-X",
        "-w",
        "-U",
        "anybody",
        "-d",
        Postgres::DATABASE,
        "-c",
        "SELECT pg_sleep(2)",
        "-c",
        "DROP TABLE x",
    ]);
    let talking = talking.spawn().unwrap();
    let mut lines: Vec<String> = Vec::new();
    while !lines.last().is_some_and(|line| line.contains("ended") && line.contains("1 denied")) {
        lines.push(seen.recv_timeout(PATIENCE).unwrap_or_else(|why| panic!("{why}: {lines:?}")));
    }
    let id = lines.last().and_then(|line| line.split(' ').next()).unwrap();
    let began = lines.iter().find(|line| line.starts_with(id) && line.contains("began"));
    assert!(began.is_some_and(|line| line.contains("shop") && line.contains("dana@example.com")), "{lines:?}");
    talking.wait_with_output().unwrap();
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn port_stays_open_for_many_connections_at_once_and_says_how_to_use_it() {
    let scene = Scene::start();
    scene.log_in_by_device("dana");
    let mut connect = scene.command(&["connect", "shop"]).spawn().unwrap();
    let mut said = BufReader::new(connect.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
    assert!(port.parse::<u16>().is_ok(), "{line}{}", complaint(&mut connect));
    let (mut ready, want) = (String::new(), format!("psql \"host=127.0.0.1 port={port} dbname=postgres\""));
    said.read_line(&mut ready).unwrap();
    said.read_line(&mut ready).unwrap();
    assert_eq!(ready.trim(), want);
    let statements = |number: usize| format!("SELECT {number} FROM pg_sleep(0.2)");
    let psqls: Vec<_> = (0..20)
        .map(|number| {
            let mut psql = Command::new(scene.postgres.program("psql"));
            psql.args([
                "-X",
                "-A",
                "-t",
                "-w",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "anybody",
                "-d",
                Postgres::DATABASE,
            ]);
            psql.args(["-c", &statements(number)]).env_remove("PGPASSWORD");
            psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for (number, psql) in psqls.into_iter().enumerate() {
        let answer = psql.wait_with_output().unwrap();
        assert_eq!(out(&answer), number.to_string(), "{}", err(&answer));
    }
    connect.kill().unwrap();
    connect.wait().unwrap();
}
