//! Who on this machine is at the other end of a loopback connection. A port is open to everybody here, and a
//! tunnel is one user's own.
//!
//! Linux alone says so; elsewhere everybody counts as oneself, and `--help` says what that means.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The kernel's list of IPv4 connections (`proc_pid_net(5)`).
const LIST: &str = "/proc/self/net/tcp";

/// How it writes that a connection is open at both ends. One that its program has let go of has another
/// state, and no owner any more.
const ESTABLISHED: &str = "01";

/// Whether the program that connected from `peer` to `here` runs as the user that this one runs as.
pub(crate) fn is_own(peer: SocketAddrV4, here: SocketAddrV4) -> io::Result<bool> {
    if !cfg!(target_os = "linux") {
        return Ok(true);
    }
    let list = BufReader::new(std::fs::File::open(LIST)?);
    Ok(owner(list, peer, here)? == Some(rustix::process::geteuid().as_raw()))
}

/// The user whose end of an open connection is at `peer`.
fn owner(list: impl BufRead, peer: SocketAddrV4, here: SocketAddrV4) -> io::Result<Option<u32>> {
    let (peer, here) = (written(peer), written(here));
    for line in list.lines().skip(1) {
        let line = line?;
        let mut columns = line.split_ascii_whitespace().skip(1);
        let ends = (columns.next(), columns.next(), columns.next());
        if ends == (Some(peer.as_str()), Some(here.as_str()), Some(ESTABLISHED)) {
            // Queues, timer and retransmissions stand in between.
            return Ok(columns.nth(3).and_then(|user| user.parse().ok()));
        }
    }
    Ok(None)
}

/// As the list writes an address: the bytes of the host as one number of this machine.
fn written(address: SocketAddrV4) -> String {
    let host: Ipv4Addr = *address.ip();
    format!("{:08X}:{:04X}", u32::from_ne_bytes(host.octets()), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;

    const SHOWN: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0
   1: 0100007F:9C40 0100007F:1538 01 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 20 4 30 10 -1
   2: 0100007F:1538 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0 20 4 30 10 -1
   3: 0100007F:9C41 0100007F:1538 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
";

    fn at(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    #[test]
    fn owner_of_the_other_end_is_found_while_it_holds_it() {
        let owner = |peer| owner(SHOWN.as_bytes(), at(peer), at(5432)).unwrap();
        if cfg!(target_endian = "little") {
            assert_eq!(owner(40_000), Some(1_000));
        }
        // What was let go of has no owner, and what is not there neither.
        assert_eq!(owner(40_001), None);
        assert_eq!(owner(40_002), None);
    }

    #[test]
    fn own_connection_is_own_until_it_is_closed() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let SocketAddr::V4(here) = listener.local_addr().unwrap() else { panic!("not IPv4") };
        let client = TcpStream::connect(here).unwrap();
        let (_accepted, SocketAddr::V4(peer)) = listener.accept().unwrap() else { panic!("not IPv4") };
        assert!(is_own(peer, here).unwrap());
        drop(client);
        assert_eq!(is_own(peer, here).unwrap(), !cfg!(target_os = "linux"));
    }
}
