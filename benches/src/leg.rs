//! The ways from a client to PostgreSQL that are compared, and the environment that takes one.
//!
//! It knows no protocol: libpq reads the variables.

use std::fmt;

/// What stands between client and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Nothing.
    Direct,
    /// HAProxy in TCP mode: carries bytes, decides nothing.
    Haproxy,
    /// PgBouncer with session pooling.
    PgBouncer,
    /// The gate, with all that it does.
    Gate,
}

impl Way {
    pub(crate) const ALL: [Self; 4] = [Self::Direct, Self::Haproxy, Self::PgBouncer, Self::Gate];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Haproxy => "HAProxy",
            Self::PgBouncer => "PgBouncer",
            Self::Gate => "gate",
        })
    }
}

/// Whether the client speaks TLS. The leg to the target is plain, but for `direct` with TLS, where
/// both are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientLeg {
    Plain,
    Tls,
}

impl ClientLeg {
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Tls];

    /// Whom the gate is measured against.
    pub(crate) const fn yardstick(self) -> Way {
        match self {
            Self::Plain => Way::Haproxy,
            Self::Tls => Way::PgBouncer,
        }
    }
}

impl fmt::Display for ClientLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Tls => "TLS",
        })
    }
}

/// One way with one kind of client leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leg {
    pub(crate) client: ClientLeg,
    pub(crate) way: Way,
}

impl Leg {
    /// Every leg, those with the same client leg side by side.
    pub(crate) fn all() -> Vec<Self> {
        ClientLeg::ALL.into_iter().flat_map(|client| Way::ALL.map(|way| Self { client, way })).collect()
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.way, self.client)
    }
}
