//! The local spool: the adapter of core's recording port that writes sealed files to a folder, and
//! the reader and the verifier of those files. It knows no protocol.
//!
//! The way of an event: [`Recording::append`](portcullis_core::recording::Recording::append) puts it
//! into a buffer (`writer`), `commit` hands the buffer to the kernel (`tail`), the sealer's thread
//! makes segments of it (`seal`, `packer`) and signs a checkpoint over them (`ledger`). The format is
//! described byte for byte in docs/recording.md.
//!
//! Reading takes no lock and needs no secret: [`read::open`], [`list`], [`find`] and [`verify`] work
//! beside a gate that is writing.

mod checkpoint;
mod config;
mod damage;
mod directory;
mod disk;
pub mod export;
mod format;
mod health;
mod key;
mod ledger;
mod list;
mod live;
mod log;
mod packer;
mod pool;
pub mod read;
mod recover;
mod root;
mod seal;
mod sealer;
mod shared;
mod space;
mod spool;
mod tail;
mod tails;
#[cfg(test)]
mod tests;
pub mod verify;
mod walk;
mod writer;

pub use config::{Config, Durability, TargetRecording};
pub use damage::{Damage, ReadError};
pub use health::SpoolHealth;
pub use list::{Summaries, Summary, find, list, mark, numbers, path_of};
pub use root::RootKey;
pub use spool::{Spool, SpoolError};
