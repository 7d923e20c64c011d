//! How many connections may be open: in all, and from one address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt};

use crate::config::Limits;
use crate::telemetry::{Metrics, Refused};

/// The bits of an IPv6 address that name a network: whoever has one address has all behind it.
const NETWORK: u128 = !0 << 64;

/// Counts connections and says which is one too many.
pub(super) struct Admission {
    limits: Limits,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
}

struct Open {
    total: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// That a connection may be open. Dropping it makes room for the next.
pub(super) struct Admitted {
    by: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(super) fn new(limits: Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { limits, metrics, open: Mutex::new(Open { total: 0, by_address: HashMap::new() }) })
    }

    /// Admits a connection from `address`, or says which limit it would break.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admitted, Refused> {
        let address = network(address);
        let admitted = self.count(address);
        match admitted {
            Ok(()) => {
                self.metrics.connection_opened();
                Ok(Admitted { by: Arc::clone(self), address })
            }
            Err(why) => {
                self.metrics.connection_refused(why);
                Err(why)
            }
        }
    }

    fn count(&self, address: IpAddr) -> Result<(), Refused> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.limits.connections {
            return Err(Refused::Total);
        }
        let here = open.by_address.entry(address).or_insert(0);
        if *here >= self.limits.connections_per_address {
            return Err(Refused::Address);
        }
        *here += 1;
        open.total += 1;
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.by.metrics.connection_closed();
        let mut open = self.by.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: u32, connections_per_address: u32) -> Arc<Admission> {
        let limits = Limits { connections, connections_per_address, ..Limits::default() };
        Admission::new(limits, Arc::new(Metrics::new().unwrap()))
    }

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_too_many_is_refused_until_another_leaves() {
        let admission = admission(3, 2);
        let first = admission.admit(from("192.0.2.1")).unwrap();
        let _second = admission.admit(from("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(from("192.0.2.1")).err(), Some(Refused::Address));
        let _third = admission.admit(from("192.0.2.2")).unwrap();
        assert_eq!(admission.admit(from("192.0.2.3")).err(), Some(Refused::Total));
        drop(first);
        assert!(admission.admit(from("192.0.2.1")).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let admission = admission(9, 1);
        let _one = admission.admit(from("2001:db8::1")).unwrap();
        assert_eq!(admission.admit(from("2001:db8::2")).err(), Some(Refused::Address));
        assert!(admission.admit(from("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn an_ipv4_address_counts_alike_in_both_forms() {
        let admission = admission(9, 1);
        let _one = admission.admit(from("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(from("::ffff:192.0.2.1")).err(), Some(Refused::Address));
    }
}
