//! `bench`: to come.
use clap::Args;
/// Run the bench targets.
#[derive(Args)]
pub(crate) struct Options {}
pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    Ok(())
}
