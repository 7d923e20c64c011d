//! Detectors: what sensitive values look like, best effort.
//!
//! A detector knows the form of a value and its check digits, and nothing of where the value
//! stands. Values are looked at whole: what is cut in two is found in neither part.

mod card;
mod checks;
mod detector;
mod email;
mod iban;
mod national;
mod own;
mod phone;
mod run;
mod scanner;
mod secrets;
#[cfg(test)]
mod tests;

pub use detector::Detector;
pub(super) use scanner::{Finding, Scanner, apart};
