//! `portcullis config`.

use portcullis_runtime::server::Kind;

use crate::output::{Failure, Output, Verdict};
use crate::protocols;

pub(crate) fn schema(output: &mut Output) -> Result<Verdict, Failure> {
    output.json(&Kind::config_schema(&protocols::all()))?;
    Ok(Verdict::Good)
}
