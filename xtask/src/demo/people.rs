//! The made-up people of the demo. Their groups are those of the sample policies.

use std::time::Duration;

use portcullis_testkit::issuer::Claims;

/// How long a token of the demo lives.
const WORKING_DAY: Duration = Duration::from_secs(8 * 3600);

/// Somebody who logs in.
pub(super) struct Person {
    /// The user name that psql asks for, and the token's subject.
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    /// Who that is, and what the policies say of them.
    pub(super) about: &'static str,
    /// What shows it.
    pub(super) tries: &'static [&'static str],
}

pub(super) const AGENT: Person = Person {
    name: "agent",
    group: "agents",
    about: "an AI agent, reads the shop and changes nothing",
    tries: &[
        "SELECT * FROM customers;            -- addresses and cards are masked",
        "DROP TABLE customers;              -- denied, with the reason; the session goes on",
        "COPY customers TO STDOUT;          -- denied: nothing in bulk",
    ],
};
pub(super) const VENDOR: Person = Person {
    name: "vendor",
    group: "vendors",
    about: "a vendor, reads orders and products alone",
    tries: &[
        "SELECT * FROM orders;",
        "UPDATE orders SET state = 'sent' WHERE id = 3;     -- waits until a DBA says yes",
        "SELECT * FROM customers;           -- denied",
        "SELECT email FROM orders JOIN customers ON customers.id = customer;   -- denied too",
    ],
};
pub(super) const DBA: Person = Person {
    name: "dba",
    group: "dba",
    about: "a DBA, works on everything but does not leave the database",
    tries: &[
        "UPDATE orders SET state = 'sent' WHERE id = 1;",
        "DELETE FROM orders;                -- waits for two other DBAs: there is no WHERE",
        "COPY customers TO PROGRAM 'cat';   -- denied to everybody",
    ],
};
pub(super) const SUPPORT: Person = Person {
    name: "support",
    group: "oncall",
    about: "support on call, sees addresses and asks a DBA before repairing by hand",
    tries: &["SELECT email, card FROM customers;  -- addresses as they are, cards but for four digits"],
};
/// Who can log in.
pub(super) const PEOPLE: [Person; 4] = [AGENT, VENDOR, SUPPORT, DBA];

/// Somebody whom no policy knows.
pub(super) const INTERN: Person =
    Person { name: "intern", group: "interns", about: "in a group without permission", tries: &[] };

impl Person {
    /// What the issuer says of this person.
    pub(super) fn claims(&self) -> Claims {
        Claims::new(self.name).groups([self.group]).lifetime(WORKING_DAY)
    }
}
