//! Options of every TCP connection, on both legs.

use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// A silent connection is probed after this long, …
const IDLE: Duration = Duration::from_secs(60);
/// … then this often, …
const INTERVAL: Duration = Duration::from_secs(15);
/// … and given up after so many probes without an answer.
const PROBES: u32 = 4;

/// Sends small messages at once, and finds out when the other side is gone.
pub fn tune(stream: &TcpStream) {
    // A connection without them works all the same; one that is gone already says so when it is read.
    if let Err(why) = options(stream) {
        tracing::debug!(error = %why, "a socket option could not be set");
    }
}

fn options(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, IDLE)?;
    sockopt::set_tcp_keepintvl(stream, INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    Ok(())
}
