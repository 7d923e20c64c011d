//! `portcullis serve`: it comes up, says so, and goes down when told.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use crate::gate::{Folder, Serving, TARGET};

#[test]
fn it_is_ready_shows_metrics_and_ends_cleanly_on_sigterm() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let admin = free.local_addr().unwrap();
    drop(free);
    let folder = Folder::of_targets(&format!("[admin]\nlisten = \"{admin}\"\n{TARGET}"));
    let serving = Serving::start(folder, "x");
    assert!(ask(admin, "/readyz").contains(" 200 "));
    let metrics = ask(admin, "/metrics");
    for name in ["portcullis_sessions_open", "portcullis_recorder_spool_bytes", "portcullis_policy_revision"] {
        assert!(metrics.contains(name), "no {name} in\n{metrics}");
    }
    serving.stop();
}

fn ask(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let ran = Folder::of_targets(&TARGET.replace("127.0.0.1:0", &address.to_string())).run(&["serve"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains(&format!("`orders-db` cannot listen on `{address}`")), "{}", ran.err);
}
