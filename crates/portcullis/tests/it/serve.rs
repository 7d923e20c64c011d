//! `portcullis serve`: it comes up, says so, and goes down when told.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::gate::{Folder, TARGET};

/// How long anything here may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running gate, ended when dropped.
struct Serving {
    child: Child,
    admin: SocketAddr,
    _folder: Folder,
}

impl Serving {
    fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let admin = free.local_addr().unwrap();
        drop(free);
        let folder = Folder::of_targets(&format!("[admin]\nlisten = \"{admin}\"\n{TARGET}"));
        let mut command = folder.command(&["serve"]);
        let child = command.env("ORDERS_PASSWORD", "x").stderr(Stdio::piped()).spawn().unwrap();
        let mut serving = Self { child, admin, _folder: folder };
        let begin = Instant::now();
        while !serving.ask("/readyz").is_some_and(|answer| answer.contains(" 200 ")) {
            assert!(begin.elapsed() < PATIENCE && serving.child.try_wait().unwrap().is_none(), "{}", serving.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        serving
    }

    fn ask(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.admin).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Ends the gate and gives its log.
    fn log(&mut self) -> String {
        let _ = self.child.kill();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_is_ready_shows_metrics_and_ends_cleanly_on_sigterm() {
    let mut serving = Serving::start();
    let metrics = serving.ask("/metrics").unwrap();
    for name in ["portcullis_sessions_open", "portcullis_recorder_spool_bytes", "portcullis_policy_revision"] {
        assert!(metrics.contains(name), "no {name} in\n{metrics}");
    }
    kill_process(Pid::from_child(&serving.child), Signal::TERM).unwrap();
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = serving.child.try_wait().unwrap() {
            break status;
        }
        assert!(begin.elapsed() < PATIENCE, "it does not end:\n{}", serving.log());
        std::thread::sleep(Duration::from_millis(20));
    };
    let log = serving.log();
    assert!(status.success(), "{status}\n{log}");
    assert!(log.contains("listening") && log.contains("stopped"), "{log}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let ran = Folder::of_targets(&TARGET.replace("127.0.0.1:0", &address.to_string())).run(&["serve"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains(&format!("`orders-db` cannot listen on `{address}`")), "{}", ran.err);
}
