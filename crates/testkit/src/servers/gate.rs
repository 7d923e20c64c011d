//! The gate itself: the real binary, built from this checkout, with a configuration of its own.
//!
//! It knows the configuration's form and no protocol beyond the keys that a target needs.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Account, Certificates, Postgres, Process, free_port};

/// Starts tried before giving up: a free port may be taken by another process in between.
const TRIES: u32 = 3;
/// Names the debug build of the gate that tests run.
pub const TESTED_GATE: &str = "PORTCULLIS_TESTED_GATE";
const ANSWER: Duration = Duration::from_secs(1);

/// Which build of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// Quick to make.
    Debug,
    /// As it is shipped.
    Release,
}

/// A target behind the gate.
#[derive(Debug, Clone)]
pub struct GateTarget {
    /// Its name in policies.
    pub name: String,
    /// Host and port.
    pub address: String,
    /// The login on the target.
    pub user: String,
    /// The login's password.
    pub password: String,
    /// The authority for TLS to the target; `None` speaks plain.
    pub authority: Option<PathBuf>,
    /// Whether clients may log in without TLS.
    pub plaintext_login: bool,
    /// Further lines of the target's table.
    pub more: String,
}

impl GateTarget {
    /// `postgres` as the target `shop`, logged in to as `app` over TLS. Clients need TLS.
    pub fn shop(postgres: &Postgres) -> Self {
        Self {
            name: String::from("shop"),
            address: format!("localhost:{}", postgres.port()),
            user: Postgres::USER.to_owned(),
            password: Postgres::PASSWORD.to_owned(),
            authority: Some(postgres.certificates().authority()),
            plaintext_login: false,
            more: String::new(),
        }
    }
}

/// What a gate needs to start.
#[derive(Debug, Clone)]
pub struct GateConfig {
    /// The issuer's URL. Its name is `demo`, its audience `portcullis`.
    pub issuer: String,
    /// Further lines of the issuer's table.
    pub identity: String,
    /// A folder whose `.cedar` files are copied, so that a test can change its own.
    pub policies: Policies,
    /// The targets.
    pub targets: Vec<GateTarget>,
    /// Lines of the `[recording]` table beyond `dir`.
    pub recording: String,
    /// Further tables.
    pub more: String,
    /// The port of the control API, where something else has to know it before the gate runs.
    pub control_port: Option<u16>,
}

/// Where the policies come from.
#[derive(Debug, Clone)]
pub enum Policies {
    /// Every `.cedar` file of a folder.
    Folder(PathBuf),
    /// This text.
    Text(String),
}

impl GateConfig {
    /// Everybody may do everything at these targets, and all of it is recorded.
    pub fn open(issuer: &str, targets: Vec<GateTarget>) -> Self {
        let everything = "@id(\"everything\")\npermit (principal, action, resource);\n";
        Self {
            issuer: issuer.to_owned(),
            identity: String::new(),
            policies: Policies::Text(everything.to_owned()),
            targets,
            recording: String::new(),
            more: String::new(),
            control_port: None,
        }
    }
}

/// A running gate. Dropping it stops it and removes its recordings.
#[derive(Debug)]
pub struct Gate {
    process: Process,
    files: Files,
}

/// What outlives a restart.
#[derive(Debug)]
struct Files {
    folder: TempDir,
    binary: PathBuf,
    certificates: Certificates,
    config: GateConfig,
    ports: Vec<u16>,
    admin: u16,
    control: u16,
}

impl Gate {
    /// Builds the gate if need be and starts it.
    pub fn start(build: Build, config: GateConfig) -> anyhow::Result<Self> {
        let binary = build_gate(build)?;
        let folder = tempfile::Builder::new().prefix("portcullis-gate-").tempdir()?;
        let certificates = Certificates::make(&folder.path().join("tls"), "gate", Account::caller())?;
        fs::create_dir(folder.path().join("policies"))?;
        let mut files = Files { folder, binary, certificates, config, ports: Vec::new(), admin: 0, control: 0 };
        files.write_policies()?;
        let mut attempt = 1;
        loop {
            files.choose_ports()?;
            files.write_config()?;
            match files.launch() {
                Ok(process) => return Ok(Self { process, files }),
                Err(error) if attempt < TRIES && error.to_string().contains("in use") => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The port of the target called `name`.
    pub fn port(&self, name: &str) -> anyhow::Result<u16> {
        let found = self.files.config.targets.iter().position(|target| target.name == name);
        found.and_then(|index| self.files.ports.get(index).copied()).with_context(|| format!("no target `{name}`"))
    }

    /// What clients trust.
    pub fn authority(&self) -> PathBuf {
        self.files.certificates.authority()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.files.path("gate.toml")
    }

    /// The folder of the policies that this gate reads.
    pub fn policies(&self) -> PathBuf {
        self.files.path("policies")
    }

    /// The folder of the recordings.
    pub fn recordings(&self) -> PathBuf {
        self.files.path("recordings")
    }

    /// The port of metrics and health.
    pub const fn admin_port(&self) -> u16 {
        self.files.admin
    }

    /// The URL of the control API.
    pub fn control_url(&self) -> String {
        format!("https://localhost:{}", self.files.control)
    }

    /// Runs a command of the binary that talks to the control API, as whom this token names.
    pub fn control_command(&self, token: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.files.binary);
        command.args(arguments).env("PORTCULLIS_CONTROL", self.control_url());
        command.env("PORTCULLIS_TOKEN", token).env("PORTCULLIS_CA", self.authority());
        command
    }

    /// The log so far, of all runs.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The id of the process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Runs another command of the binary with this gate's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.files.binary);
        command.arg("--config").arg(self.config()).args(arguments);
        command
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        Ok(())
    }

    /// Asks it to stop and waits until it has drained.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop()?;
        Ok(())
    }

    /// Starts it again on the same ports and recordings, after [`Self::kill`] or [`Self::stop`].
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.process = self.files.launch()?;
        Ok(())
    }
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_policies(&self) -> anyhow::Result<()> {
        let to = self.path("policies");
        match &self.config.policies {
            Policies::Text(text) => fs::write(to.join("policies.cedar"), text)?,
            Policies::Folder(from) => {
                for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
                    let path = entry?.path();
                    let name = path.file_name().unwrap_or_default();
                    if path.extension().is_some_and(|extension| extension == "cedar") {
                        fs::copy(&path, to.join(name))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn choose_ports(&mut self) -> anyhow::Result<()> {
        self.ports = self.config.targets.iter().map(|_| free_port()).collect::<anyhow::Result<_>>()?;
        self.admin = free_port()?;
        self.control = self.config.control_port.map_or_else(free_port, Ok)?;
        Ok(())
    }

    fn write_config(&self) -> anyhow::Result<()> {
        let config = &self.config;
        let certificates = &self.certificates;
        let mut text = format!(
            "[[identity.oidc]]\nname = \"demo\"\nissuer = \"{}\"\naudience = \"portcullis\"\n{}\n\
             [policy]\ndir = \"policies\"\n\n[recording]\ndir = \"recordings\"\n{}\n\
             [tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\n[admin]\nlisten = \"127.0.0.1:{}\"\n\n\
             [control]\nlisten = \"127.0.0.1:{}\"\nurl = \"https://localhost:{}\"\n\n{}\n",
            config.issuer,
            config.identity,
            config.recording,
            certificates.certificate().display(),
            certificates.key().display(),
            self.admin,
            self.control,
            self.control,
            config.more,
        );
        for (target, port) in config.targets.iter().zip(&self.ports) {
            text += &self.target_table(target, *port)?;
        }
        fs::write(self.path("gate.toml"), text)?;
        Ok(())
    }

    fn target_table(&self, target: &GateTarget, port: u16) -> anyhow::Result<String> {
        let password = self.path(&format!("{}.password", target.name));
        fs::write(&password, &target.password)?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        let mut text = format!(
            "[[target]]\nname = \"{}\"\nprotocol = \"postgres\"\nlisten = \"127.0.0.1:{port}\"\naddress = \"{}\"\n\
             login = {{ user = \"{}\", password = {{ file = \"{}\" }} }}\nplaintext_login = {}\n",
            target.name,
            target.address,
            target.user,
            password.display(),
            target.plaintext_login,
        );
        match &target.authority {
            Some(authority) => writeln!(text, "tls = {{ ca = \"{}\" }}", authority.display())?,
            None => writeln!(text, "tls = {{ mode = \"disable\" }}")?,
        }
        writeln!(text, "{}", target.more)?;
        Ok(text)
    }

    fn launch(&self) -> anyhow::Result<Process> {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(self.path("gate.toml")).arg("serve");
        let mut process = Process::start("portcullis", command, &self.path("log"), Signal::TERM)?;
        process.wait_until(|| is_ready(self.admin))?;
        Ok(process)
    }
}

/// Asks `/readyz`.
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0_u8; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// Builds the gate from this checkout, once in a process, and returns its binary. Tests take the
/// binary in the variable [`TESTED_GATE`] instead where `cargo xtask test` has built it for all.
pub fn build_gate(build: Build) -> anyhow::Result<PathBuf> {
    static DEBUG: Mutex<Option<PathBuf>> = Mutex::new(None);
    static RELEASE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let built = match build {
        Build::Debug => &DEBUG,
        Build::Release => &RELEASE,
    };
    if let (Build::Debug, Some(binary)) = (build, std::env::var_os(TESTED_GATE)) {
        return Ok(PathBuf::from(binary));
    }
    let mut built = built.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(binary) = built.as_ref() {
        return Ok(binary.clone());
    }
    let binary = run_cargo(build)?;
    *built = Some(binary.clone());
    Ok(binary)
}

fn run_cargo(build: Build) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    cargo.args(["build", "--quiet", "--package", "portcullis", "--message-format=json-render-diagnostics"]);
    if build == Build::Release {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the gate does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout);
    let parsed = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut executables = parsed.filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    executables.find(|path| path.ends_with("portcullis")).context("cargo built no binary called portcullis")
}
