//! Real servers for tests, the demo and the benches: started on free loopback ports as an
//! unprivileged user, stopped when dropped.
//!
//! They install nothing: a missing part is an error that names the command which installs it.

mod account;
mod cache;
mod certificates;
mod gate;
mod haproxy;
mod oidc_provider;
mod openssh;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod template;

pub use account::Account;
pub use cache::{Missing, cache_folder, need};
pub use certificates::Certificates;
pub use gate::{Build, Gate, GateConfig, GateTarget, Policies, TESTED_GATE, build_gate};
pub use haproxy::Haproxy;
pub use oidc_provider::{Account as OidcAccount, OidcProvider};
pub use openssh::OpenSsh;
pub use pgbouncer::{ClientLeg, PgBouncer};
pub use port::free_port;
pub use postgres::{Postgres, Version};
pub use process::Process;
