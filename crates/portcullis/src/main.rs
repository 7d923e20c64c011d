//! The `portcullis` command: it serves, and gives operators and auditors their tools.
//!
//! It decides nothing about any connection; that is the runtime's and the protocols' business.

mod archive;
mod args;
mod client;
mod commands;
mod control;
mod doors;
mod events;
mod login;
mod moment;
mod neighbours;
mod output;
mod policies;
mod protocols;

use std::process::ExitCode;

use clap::Parser;
use portcullis_core::visible;

use args::{Args, Command, PolicyCommand};
use output::{Output, Verdict};

fn main() -> ExitCode {
    let args = Args::parse();
    portcullis_runtime::tls::install_provider();
    let mut output = Output::of_process();
    let config = &args.config;
    let verdict = match args.command {
        Command::Serve => commands::serve::run(config),
        Command::Check(check) => commands::check::run(config, &check, &mut output),
        Command::Sessions(sessions) => commands::sessions::run(config, &sessions, &mut output),
        Command::Replay(replay) => commands::replay::run(config, &replay, &mut output),
        Command::Verify(verify) => commands::verify::run(&verify, &mut output),
        Command::Login(login) => commands::login::login(&login, &mut output),
        Command::Logout(logout) => commands::login::logout(&logout, &mut output),
        Command::Whoami(whoami) => commands::login::whoami(&whoami, &mut output),
        Command::Targets(targets) => commands::targets::list(&targets, &mut output),
        Command::Ticket(ticket) => commands::targets::ticket(&ticket, &mut output),
        Command::Connect(connect) => commands::connect::run(&connect, &mut output),
        Command::Asks(asks) => commands::asks::list(&asks, &mut output),
        Command::Show(show) => commands::asks::show(&show, &mut output),
        Command::Approve(answer) => commands::asks::answer(&answer, "approve", &mut output),
        Command::Deny(answer) => commands::asks::answer(&answer, "deny", &mut output),
        Command::Revoke(revoke) => commands::asks::revoke(&revoke, &mut output),
        Command::Policy { command: PolicyCommand::Check(check) } => {
            commands::policy::check(config, &check, &mut output)
        }
        Command::Policy { command: PolicyCommand::Test(test) } => commands::policy::test(config, &test, &mut output),
        Command::Policy { command: PolicyCommand::Explain(explain) } => {
            commands::explain::run(config, &explain, &mut output)
        }
        Command::Policy { command: PolicyCommand::Replay(replay) } => {
            commands::policy_replay::run(config, &replay, &mut output)
        }
        Command::Policy { command: PolicyCommand::Schema } => commands::policy::schema(&mut output),
        Command::Config { command: args::ConfigCommand::Schema } => commands::config::schema(&mut output),
        Command::Completions { shell } => commands::completions::run(shell, &mut output),
    };
    finish(verdict, &mut output)
}

fn finish(verdict: Result<Verdict, output::Failure>, output: &mut Output) -> ExitCode {
    match verdict {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Finding) => ExitCode::from(1),
        Ok(Verdict::Exit(code)) => ExitCode::from(code),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            output.error(&failure);
            ExitCode::from(2)
        }
    }
}
