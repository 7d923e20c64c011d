//! Finds a free loopback port by binding port 0 and letting go of it.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context;

/// A TCP port that was free a moment ago on 127.0.0.1. Another process may take it before you do,
/// so start soon, and start again if it is gone.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free loopback port")?;
    Ok(listener.local_addr()?.port())
}
