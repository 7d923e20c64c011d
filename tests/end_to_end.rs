//! End to end: real clients against real targets through the real binary, one folder a protocol.

mod postgres;
