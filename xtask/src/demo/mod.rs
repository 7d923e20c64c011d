//! `demo`: a PostgreSQL with made-up customers, an issuer and the gate, on loopback.
//!
//! Here is what a person sees; `scene` starts the parts, `tour` walks through them.

mod people;
mod scene;
mod tour;

use anyhow::Context;
use clap::Args;

use crate::setup::{self, Part};
use people::{PEOPLE, Person};
use scene::Scene;

/// Run PostgreSQL with made-up customers, a local issuer and the gate with sample policies, and
/// say who can log in and what to paste. Stays until Ctrl-C, and leaves nothing behind.
#[derive(Args)]
pub(crate) struct Options {
    /// Walk the tour with psql and say `ok NAME` or `FAIL NAME: why` for each step.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    setup::ensure(&[Part::Build, Part::Postgres])?;
    println!("demo: building and starting (the first build takes some minutes)");
    let scene = Scene::start()?;
    if options.check {
        return tour::walk(&scene);
    }
    introduce(&scene)?;
    wait_for_interrupt()?;
    println!("\ndemo: stopping");
    Ok(())
}

fn introduce(scene: &Scene) -> anyhow::Result<()> {
    println!("\nA PostgreSQL with a made-up shop, an issuer at {}, and the gate between.", scene.issuer.url());
    println!("Paste a line; the password is a token of that person, good for eight hours.\n");
    for person in &PEOPLE {
        let Person { name, about, tries, .. } = person;
        println!("{name}: {about}");
        println!("  {}", scene.login_line(person)?);
        println!("  then try: {tries}\n");
    }
    let (binary, config) = scene.binary_and_config();
    println!("What was recorded (policies: {}):", scene.gate.policies().display());
    for (command, what) in
        [("sessions", "list them"), ("replay ID", "see one"), ("verify", "prove that none was changed")]
    {
        let folder =
            if command == "verify" { format!(" {}", scene.gate.recordings().display()) } else { String::new() };
        println!("  {binary} --config {config} {command}{folder}    # {what}");
    }
    println!("\nCtrl-C stops everything.");
    Ok(())
}

fn wait_for_interrupt() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c()).context("cannot wait for Ctrl-C")
}
