//! The control plane as clients and humans meet it: a real file, real sockets, clocks held still.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on says so by ending"
)]

mod api;
mod desk;
mod stage;
mod store;
