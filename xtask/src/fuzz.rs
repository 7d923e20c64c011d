//! `fuzz`: to come.
use clap::Args;
/// Run the fuzz targets.
#[derive(Args)]
pub(crate) struct Options {}
pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    Ok(())
}
