//! `demo`: to come.
use clap::Args;
/// Run the demo targets.
#[derive(Args)]
pub(crate) struct Options {}
pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    Ok(())
}
