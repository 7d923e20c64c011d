//! Masking: what a sensitive value is called, where it stands, what it looks like, how it is shown,
//! and the proof that it was looked at.
//!
//! Whatever the configuration tags is masked unless policy permits the identity the action
//! `reveal` on that tag. Tags come from where a value is ([`rules`]: column names, exact) and from
//! what it looks like ([`detect`], best effort). How a protocol finds out where a value comes from
//! is not known here, and neither is a value's encoding on the wire: what is masked here is the text
//! form of a whole value.

pub mod columns;
pub mod detect;
pub mod field;
mod json;
pub mod masked;
mod render;
pub mod reveal;
pub mod rules;
pub mod style;
pub mod tag;
pub mod tags;
#[cfg(test)]
mod tests;
pub mod view;

pub use columns::Glob;
pub use detect::Detector;
pub use field::{Field, Kind};
pub use masked::Masked;
pub use rules::{Rules, RulesError, Settings};
pub use style::Style;
pub use tag::Tag;
pub use tags::Tags;
pub use view::View;
