//! Real clients from whom a column is hidden: whatever of the list of leaking queries they run, in
//! text and in binary, no value comes through, and what does can be read by their drivers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{
    Build, Gate, GateConfig, GateTarget, Policies, Postgres, Version, cache_folder, need,
};

use super::tour::Endpoint;

/// The columns of the table that are hidden; the other two are not.
const HIDDEN: &str = "email phone fixed short doc docb list born seen amount big small raw ident addr markup pair mood \
                      span truth real8 point_at bits dom";

const POLICIES: &str = r#"
@id("everything")
permit (principal, action, resource);

@id("nobody-sees")
forbid (principal, action == Action::"reveal", resource);
"#;

/// What would show that a value came through, in any case and direction.
const MARKS: [&str; 7] = ["leakme", "emkael", "733177331", "1977-03-31", "203.0.113.77", "77317731-7731", "7331.77331"];

struct Scene {
    // Dropped in this order: the gate ends its sessions before their target goes away.
    gate: Gate,
    issuer: Issuer,
    postgres: Postgres,
}

fn leaks(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/postgres/tests/it/leaks").join(name)
}

fn scene() -> Scene {
    scene_with("[masking.tags.secret]\nstyle = \"redact\"\n")
}

/// The scene with the first tables of its masking.
fn scene_with(masking: &str) -> Scene {
    let postgres = Postgres::start(Version::V18).unwrap();
    postgres.sql_as_app(&std::fs::read_to_string(leaks("schema.sql")).unwrap()).unwrap();
    let issuer = Issuer::start_blocking().unwrap();
    let mut config = GateConfig::open(issuer.url(), vec![GateTarget::shop(&postgres)]);
    config.policies = Policies::Text(POLICIES.to_owned());
    config.more = masking.to_owned();
    for column in HIDDEN.split_whitespace() {
        config.more += &format!("\n[[masking.column]]\nmatch = \"public.vault.{column}\"\ntag = \"secret\"\n");
    }
    let gate = Gate::start(Build::Debug, config).unwrap();
    Scene { gate, issuer, postgres }
}

impl Scene {
    /// Runs a client to its end, and gives all that it printed.
    fn run(&self, command: &mut Command) -> String {
        Endpoint::gate(&self.gate, self.issuer.mint(&Claims::new("agent"))).apply(command);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
        said
    }
}

/// That a client ran everything, and saw no value.
fn nothing_came_through(said: &str) {
    let lower = said.to_lowercase();
    for mark in MARKS {
        let line = lower.lines().find(|line| line.contains(mark));
        assert!(line.is_none(), "`{mark}` came through: {line:?}");
    }
    let masked = said.matches("[masked]").count();
    assert!(masked > 100, "only {masked} values were masked:\n{said}");
}

#[test]
fn psql_sees_no_hidden_value() {
    let scene = scene();
    let list = std::fs::read_to_string(leaks("leaks.txt")).unwrap();
    let statements: String =
        list.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line};\n")).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), statements).unwrap();
    let mut psql = Command::new(scene.postgres.program("psql"));
    let said =
        scene.run(psql.args(["-X", "-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=always", "-f"]).arg(file.path()));
    nothing_came_through(&said);
}

#[test]
fn psycopg_sees_no_hidden_value_in_text_or_binary() {
    let scene = scene();
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients");
    let mut python = Command::new(need(cache_folder().join("python/bin/python"), "drivers").unwrap());
    let said = scene.run(python.arg(clients.join("masked.py")).arg(leaks("leaks.txt")).env("PYTHONUTF8", "1"));
    nothing_came_through(&said);
}

#[test]
fn pgx_sees_no_hidden_value_in_text_or_binary() {
    let scene = scene();
    let mut pgx = Command::new(need(cache_folder().join("bin/masked-pgx"), "drivers").unwrap());
    let said = scene.run(pgx.arg(leaks("leaks.txt")));
    nothing_came_through(&said);
}

#[test]
fn equal_values_have_equal_hashes_across_columns_and_formats() {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "a key that is long enough").unwrap();
    let hashed = format!(
        "[masking]\nkey = {{ file = \"{}\" }}\n\n[masking.tags.secret]\nstyle = \"hash\"\n\n\
         [[masking.column]]\nmatch = \"public.copied.*\"\ntag = \"secret\"\n",
        key.path().display()
    );
    let scene = scene_with(&hashed);
    scene.postgres.sql_as_app("CREATE TABLE copied AS SELECT email::varchar(60) AS address FROM vault").unwrap();
    let statements = tempfile::NamedTempFile::new().unwrap();
    let text = "SELECT email FROM vault WHERE id = 1\nSELECT address FROM copied WHERE address LIKE 'leakme@%'\n\
                SELECT v.email = c.address FROM vault v JOIN copied c ON c.address = v.email\n";
    std::fs::write(statements.path(), text).unwrap();
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients");
    let mut python = Command::new(need(cache_folder().join("python/bin/python"), "drivers").unwrap());
    let said = scene.run(python.arg(clients.join("masked.py")).arg(statements.path()).env("PYTHONUTF8", "1"));
    let hashes: Vec<&str> = said.lines().filter(|line| line.contains("secret:")).collect();
    // Each of two columns, in text and in binary; what is compared is a truth, and so null.
    assert_eq!(hashes.len(), 4, "{said}");
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{said}");
    assert_eq!(said.matches("[(None,), (None,)]").count(), 2, "{said}");
    // Another driver gets the same hashes, and so joins on them.
    let said = scene.run(pgjdbc().arg(statements.path()));
    let joined: Vec<&str> = said.lines().filter(|line| line.contains("secret:")).collect();
    // Each of two columns, described and not.
    assert_eq!(joined.len(), 4, "{said}");
    let hash = hashes[0].trim_matches(|c: char| !c.is_ascii_alphanumeric());
    assert!(joined.iter().all(|line| line.contains(hash)), "{hash} is not in {said}");
}

#[test]
fn pgjdbc_sees_no_hidden_value_in_binary() {
    let scene = scene();
    let said = scene.run(pgjdbc().arg(leaks("leaks.txt")));
    assert!(!said.contains("cannot be read"), "{said}");
    nothing_came_through(&said);
}

/// The Java program that runs a file of statements.
fn pgjdbc() -> Command {
    let mut java = Command::new("java");
    java.arg("-cp").arg(need(cache_folder().join("java/postgresql.jar"), "drivers").unwrap());
    java.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/clients/pgjdbc/Masked.java"));
    java
}
