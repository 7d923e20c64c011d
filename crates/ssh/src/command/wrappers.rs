//! Programs that run other programs: which of their words are the inner command.
//!
//! The list is no boundary: any program may run others. It follows those that people use for it.

use super::{Reading, inner, walk};

/// Programs that run the rest of their words, with the options that take a value of their own.
const PREFIXES: [(&str, &[&str]); 21] = [
    ("nohup", &[]),
    ("setsid", &[]),
    ("time", &["-o", "-f"]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n"]),
    ("chrt", &[]),
    ("taskset", &[]),
    ("timeout", &["-k", "-s"]),
    ("stdbuf", &["-i", "-o", "-e"]),
    ("unbuffer", &[]),
    ("command", &[]),
    ("builtin", &[]),
    ("exec", &["-a"]),
    ("env", &["-u", "-C"]),
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R"]),
    ("doas", &["-u", "-C"]),
    ("busybox", &[]),
    ("toybox", &[]),
    ("strace", &["-o", "-e", "-s"]),
    ("ltrace", &["-o", "-e", "-s"]),
    ("setarch", &[]),
];
/// How many plain words of these come before the inner command.
const OPERANDS: [(&str, usize); 4] = [("timeout", 1), ("chrt", 1), ("taskset", 1), ("setarch", 1)];
/// Shells, which read a command after `-c`.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "rbash", "fish"];
/// Programs that change the user.
const CHANGES_USER: [&str; 8] = ["sudo", "sudoedit", "doas", "su", "pkexec", "run0", "runuser", "please"];
/// Programs that run what cannot be read from their words.
const RUNS_ANYTHING: [&str; 38] = [
    "eval",
    "source",
    ".",
    "xargs",
    "parallel",
    "find",
    "fd",
    "watch",
    "script",
    "expect",
    "at",
    "batch",
    "crontab",
    "awk",
    "gawk",
    "mawk",
    "sed",
    "vi",
    "vim",
    "nvim",
    "ed",
    "ex",
    "emacs",
    "less",
    "more",
    "man",
    "ssh",
    "chroot",
    "unshare",
    "nsenter",
    "systemd-run",
    "docker",
    "podman",
    "kubectl",
    "flock",
    "trap",
    "alias",
    "enable",
];
/// Interpreters, with whatever version stands behind their names.
const INTERPRETERS: [&str; 9] = ["python", "perl", "ruby", "node", "php", "lua", "tclsh", "osascript", "deno"];

/// Whether this program runs others under another user.
pub(super) fn changes_user(name: &str) -> bool {
    CHANGES_USER.contains(&name)
}

/// Notes what a program runs in turn.
pub(super) fn follow(name: &str, arguments: &[Option<String>], depth: usize, reading: &mut Reading) {
    let deeper = depth.saturating_add(1);
    if SHELLS.contains(&name) {
        return shell(arguments, deeper, reading);
    }
    let interprets = |known: &str| name.strip_prefix(known).is_some_and(is_version);
    if RUNS_ANYTHING.contains(&name) || INTERPRETERS.into_iter().any(interprets) {
        reading.opaque = true;
        return scan(arguments, deeper, reading);
    }
    if let Some((_, valued)) = PREFIXES.iter().find(|(known, _)| *known == name) {
        let operands = OPERANDS.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count);
        return prefix(valued, operands, arguments, deeper, reading);
    }
    // `su root -c 'id'`, `runuser -u app -- id`
    if changes_user(name) {
        reading.opaque = true;
    }
}

fn is_version(rest: &str) -> bool {
    rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// `sh -c TEXT` runs the text; a shell with anything else runs what a file or its input says.
fn shell(arguments: &[Option<String>], depth: usize, reading: &mut Reading) {
    reading.plain = false;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_deref() {
            Some(option) if option.starts_with('-') && !option.starts_with("--") && option.ends_with('c') => {
                match words.next() {
                    Some(Some(text)) => inner(text, depth, reading),
                    _ => reading.opaque = true,
                }
                // What follows are the positional parameters of the text.
                reading.opaque |= option != "-c" && option != "-ec" && option != "-xc";
                return;
            }
            Some("-e" | "-x" | "-u" | "--norc" | "--noprofile") => {}
            _ => break,
        }
    }
    reading.opaque = true;
}

/// Skips options and settings of a wrapper and notes the program behind them.
fn prefix(valued: &[&str], mut operands: usize, arguments: &[Option<String>], depth: usize, reading: &mut Reading) {
    reading.plain = false;
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        let Some(text) = word.as_deref() else { break };
        at += 1;
        if text == "--" {
            break;
        }
        if text == "-S" || text == "--split-string" || text.starts_with("-S") || text.starts_with("--split-string=") {
            // `env -S` splits a text into words, by rules of its own.
            reading.opaque = true;
            return scan(arguments, depth, reading);
        } else if valued.contains(&text) {
            at += 1;
        } else if let Some((name, _)) = text.split_once('=').filter(|(name, _)| !name.starts_with('-')) {
            reading.opaque |= walk::is_telling(name);
        } else if !text.starts_with('-') {
            if operands == 0 {
                at -= 1;
                break;
            }
            operands -= 1;
        }
    }
    let rest = arguments.get(at..).unwrap_or_default();
    if rest.is_empty() {
        // Alone, such a program shows something, or starts a shell.
        reading.opaque = true;
    } else if depth > super::MAX_DEPTH {
        reading.opaque = true;
    } else {
        walk::run(rest, depth, reading);
    }
}

/// Where a program's words may hold a command, a word that names a program counts as one that runs.
fn scan(arguments: &[Option<String>], depth: usize, reading: &mut Reading) {
    for text in arguments.iter().flatten() {
        let name = text.rsplit('/').next().unwrap_or(text);
        reading.sudo |= changes_user(name);
        if text.contains([' ', ';', '(', '|']) && depth <= super::MAX_DEPTH {
            let mut within = Reading::default();
            inner(text, depth, &mut within);
            reading.sudo |= within.sudo;
        }
    }
}
