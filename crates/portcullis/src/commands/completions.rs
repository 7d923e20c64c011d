//! `portcullis completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::output::{Failure, Output, Verdict};

pub(crate) fn run(shell: Shell, output: &mut Output) -> Result<Verdict, Failure> {
    clap_complete::generate(shell, &mut Args::command(), "portcullis", output.stream());
    Ok(Verdict::Good)
}
