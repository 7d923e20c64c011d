//! A certified OIDC provider on loopback http: `oidc-provider` for Node.js, with people who log in by
//! name and whatever password.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Process, cache_folder, free_port, need};

/// Somebody who can log in.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The subject, and the name to log in with.
    pub name: &'a str,
    /// The verified e-mail address.
    pub email: &'a str,
    /// The groups.
    pub groups: &'a [&'a str],
}

/// A running provider. Dropping it stops it.
#[derive(Debug)]
pub struct OidcProvider {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl OidcProvider {
    /// The client that the control plane's page signs in as.
    pub const PAGE: &'static str = "portcullis-page";
    /// Its secret.
    pub const PAGE_SECRET: &'static str = "a secret of the tests";
    /// The public client that the command line logs in as, on a loopback port or by the device flow.
    pub const COMMAND_LINE: &'static str = "portcullis-cli";

    /// Starts a provider that sends browsers back to `callback` and lets these people in.
    pub fn start(callback: &str, accounts: &[Account<'_>]) -> anyhow::Result<Self> {
        let modules = cache_folder().join("browser");
        need(modules.join("node_modules/oidc-provider"), "browser")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser/provider.mjs");
        let people: Map<String, Value> = accounts
            .iter()
            .map(|account| (account.name.to_owned(), json!({ "email": account.email, "groups": account.groups })))
            .collect();
        let clients = json!([
            {
                "client_id": Self::PAGE,
                "client_secret": Self::PAGE_SECRET,
                "redirect_uris": [callback],
                "grant_types": ["authorization_code"],
                "response_types": ["code"],
            },
            {
                "client_id": Self::COMMAND_LINE,
                "token_endpoint_auth_method": "none",
                "application_type": "native",
                "redirect_uris": ["http://127.0.0.1/callback"],
                "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                "response_types": ["code"],
            },
        ]);
        let folder = tempfile::Builder::new().prefix("portcullis-oidc-").tempdir()?;
        let port = free_port()?;
        let mut node = Command::new("node");
        node.arg(script).env("OIDC_PORT", port.to_string()).env("BROWSER_MODULES", &modules);
        node.env("OIDC_PEOPLE", Value::Object(people).to_string()).env("OIDC_CLIENTS", clients.to_string());
        node.env("NODE_NO_WARNINGS", "1");
        let log = folder.path().join("log");
        let mut process = Process::start("oidc-provider", node, &log, Signal::TERM)?;
        process
            .wait_until(|| {
                let listens = fs::read_to_string(&log).is_ok_and(|log| log.contains("listening on"));
                listens && TcpStream::connect(("127.0.0.1", port)).is_ok()
            })
            .context("the OIDC provider does not start")?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// The issuer's URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::{Account, OidcProvider};

    #[test]
    fn provider_says_who_it_is_and_offers_what_the_gate_needs() {
        let dana = Account { name: "dana", email: "dana@example.com", groups: &["dba"] };
        let provider = OidcProvider::start("https://127.0.0.1:1/login/callback", &[dana]).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", provider.port)).unwrap();
        let head =
            format!("GET /.well-known/openid-configuration HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\r\n", provider.port);
        stream.write_all(head.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        for wanted in [&format!("\"issuer\":\"{}\"", provider.url()), "\"S256\"", "device_authorization_endpoint"] {
            assert!(said.contains(wanted), "{wanted} is not in {said}");
        }
    }
}
