//! `demo`: a PostgreSQL with made-up customers, an issuer and the gate, on loopback.
//!
//! Here is what a person sees; `scene` starts the parts, `tour` walks through them.

mod interrupt;
mod people;
mod scene;
mod tour;

use std::time::Instant;

use clap::Args;

use crate::command::{cargo, find, run as run_command};
use crate::setup::{self, Part};
use crate::ui;
use interrupt::Interrupt;
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
    let interrupt = Interrupt::notice()?;
    let began = Instant::now();
    setup::ensure(&[Part::Build, Part::Demo])?;
    if options.check {
        // Nobody looks at the page.
    } else if find("npm").is_some() {
        ui::run(&ui::Options::default())?;
    } else {
        println!("demo: there is no npm, so the web page will say how to build it");
    }
    println!("demo: building the gate; the first time takes some minutes");
    // Not the release build: it is slower to make, and nobody waits for the gate here.
    run_command(&mut cargo(["build", "--package", "portcullis"]))?;
    println!("demo: starting PostgreSQL, the issuer and the gate");
    let scene = Scene::start()?;
    println!("demo: ready after {} s", began.elapsed().as_secs());
    if options.check {
        return tour::walk(&scene, &interrupt);
    }
    introduce(&scene)?;
    interrupt.wait();
    println!("\ndemo: stopping");
    Ok(())
}

fn introduce(scene: &Scene) -> anyhow::Result<()> {
    println!("\nA PostgreSQL with a made-up shop, an issuer at {}, and the gate between.", scene.issuer.url());
    println!("Paste a line into another terminal; the password is that person's token, good for eight hours.\n");
    for person in &PEOPLE {
        let Person { name, about, tries, .. } = person;
        println!("{name}: {about}");
        println!("  {}", scene.login_line(person)?);
        println!("  then try:");
        for line in *tries {
            println!("    {line}");
        }
        println!();
    }
    let gate = scene.command_line();
    println!("Who answers what waits, as the DBA:");
    println!("  {}", scene.control_line(&people::DBA));
    println!("  {} asks                    # then show, approve or deny one", scene.binary());
    println!("The same in a browser, with what runs now and what was done:\n  {}", scene.gate.control_url());
    let names: Vec<_> = PEOPLE.iter().map(|person| person.name).collect();
    println!("  continue with `demo`, as {}; {} sees most", names.join(", "), people::DBA.name);
    println!("  (the browser does not know the gate's certificate, which was made for this demo)");
    println!("What the gate recorded:");
    println!("  {gate} sessions         # who was here");
    println!("  {gate} replay 1         # what one of them did, with every decision and its reason");
    println!("  {gate} verify {}        # that nothing was changed afterwards", scene.gate.recordings().display());
    println!("What it counts:\n  curl {}", scene.metrics_url());
    println!("What it goes by; a change counts from the next statement on:\n  {}", scene.gate.policies().display());
    println!("\nCtrl-C stops everything.");
    Ok(())
}
