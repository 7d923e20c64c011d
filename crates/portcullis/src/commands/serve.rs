//! `portcullis serve`.

use std::path::Path;

use super::gate;
use crate::output::{Failure, Verdict};

pub(crate) fn run(config: &Path) -> Result<Verdict, Failure> {
    gate(config)?.run().map_err(Failure::of)?;
    Ok(Verdict::Good)
}
