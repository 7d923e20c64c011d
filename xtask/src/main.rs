//! All automation of this repository: `cargo xtask --help` teaches it.
//!
//! Here is only the list of commands; each is a module of its name.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod bench;
mod ci;
mod command;
mod demo;
mod deny;
mod fuzz;
mod seams;
mod setup;
mod test;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Automation of the Portcullis repository. Everything that a fresh machine needs beyond git and
/// Rust is installed by `setup`, which the other commands call for the parts they need.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Setup(setup::Options),
    Demo(demo::Options),
    Test(test::Options),
    Bench(bench::Options),
    Fuzz(fuzz::Options),
    Seams(seams::Options),
    Deny(deny::Options),
    Ui(ui::Options),
    Ci(ci::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Setup(options) => setup::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Seams(options) => seams::run(&options),
        Task::Deny(options) => deny::run(&options),
        Task::Ui(options) => ui::run(&options),
        Task::Ci(options) => ci::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
