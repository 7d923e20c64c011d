//! End to end: real clients against real targets through the real binary, one folder a protocol.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what clients saw is printed")]

mod browser;
mod postgres;
