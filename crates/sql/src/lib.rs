//! What a SQL statement does: text to effects and facts.
//!
//! This crate decides what a text would do if it were run, in the words of [`vocabulary`]. It is
//! pure: it knows no session, no catalogue and no policy, so names stay as they are written (folded
//! as the target folds them) and views, rules, triggers and function bodies stay closed to it.
//! Whoever calls it resolves names with the session's search path and asks policy.
//!
//! ```
//! use portcullis_sql::postgres::{Analyzer, Settings};
//! use portcullis_sql::{Kind, vocabulary};
//!
//! let analyzer = Analyzer::new(1 << 20);
//! let analysis = analyzer.analyse(b"with gone as (delete from t returning *) select * from gone", Settings::default());
//! let statement = &analysis.statements[0];
//! assert_eq!(statement.kind, Kind::Select);
//! assert_eq!(statement.effects[0].action, vocabulary::DELETE);
//! ```

mod analysis;
mod kind;
pub mod postgres;
pub mod vocabulary;

pub use analysis::{Analysis, Object, QualifiedName, SessionChange, SqlEffect, Statement};
pub use kind::Kind;
