//! `ui`: builds the control plane's web page, which the gate then embeds.

use std::process::Command;

use anyhow::ensure;
use clap::Args;

use crate::command::{find, root, run as run_command};

/// Build the control plane's web page: `npm ci`, its unit tests, and `npm run build` in
/// crates/control/ui. The next build of the gate embeds what is then in its `dist` folder; a gate
/// built without says on its page how to get it. Needs Node 20.19 or later.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Also walk through every page in Debian's chromium, in light and dark, wide and narrow.
    #[arg(long)]
    browser: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(
        find("npm").is_some(),
        "`npm` is missing; install Node 20.19 or later (Debian: `apt-get install nodejs npm`)"
    );
    println!("ui: installing what crates/control/ui/package-lock.json names");
    run_command(npm().args(["ci", "--no-audit", "--no-fund"]))?;
    println!("ui: testing what decides");
    run_command(npm().args(["run", "--silent", "test"]))?;
    println!("ui: building crates/control/ui/dist");
    run_command(npm().args(["run", "--silent", "build"]))?;
    if options.browser {
        ensure!(find("chromium").is_some(), "`chromium` is missing; install it (Debian: `apt-get install chromium`)");
        println!("ui: walking through the pages in chromium");
        run_command(Command::new("node").current_dir(root()).args(["--test", "tests/ui/"]))?;
    }
    println!("ui: done; build the gate again to embed it");
    Ok(())
}

fn npm() -> Command {
    let mut command = Command::new("npm");
    command.current_dir(root().join("crates/control/ui"));
    command
}
