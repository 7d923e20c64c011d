//! Masking: what a sensitive value is called, how it is shown, and the proof that it was looked at.
//!
//! Detectors, lineage and column catalogues are not known here.

pub mod field;
pub mod masked;
pub mod style;
pub mod tag;

pub use field::Field;
pub use masked::Masked;
pub use style::Style;
pub use tag::Tag;
