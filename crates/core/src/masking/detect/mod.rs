//! Detectors: what sensitive values look like, best effort.
//!
//! A detector knows the form of a value and its check digits, and nothing of where the value
//! stands. Values are looked at whole.

mod detector;
mod scanner;

pub use detector::Detector;
pub(super) use scanner::Scanner;
