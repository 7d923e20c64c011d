//! Who the command line is: a login at an identity provider, kept in a file of one's own and refreshed as it
//! ends. What the gate makes of the token it does not know.

mod browser;
mod credential;
mod device;
mod provider;
mod store;

pub(crate) use browser::log_in as by_browser;
pub(crate) use credential::Credential;
pub(crate) use device::log_in as by_device;
pub(crate) use provider::{Provider, Tokens};
pub(crate) use store::{Login, Store};
