//! `portcullis serve`.

use std::path::Path;

use super::gate;
use crate::control;
use crate::output::{Failure, Verdict};

pub(crate) fn run(config: &Path) -> Result<Verdict, Failure> {
    gate(config)?.beside(control::opening()).run().map_err(Failure::of)?;
    Ok(Verdict::Good)
}
