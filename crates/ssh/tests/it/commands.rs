//! A table of commands: who runs, who is only written, and what cannot be seen.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use portcullis_ssh::command::{self, MAX_COMMAND};

const TABLE: &str = include_str!("commands.txt");

/// A row: whether `sudo` runs, whether more may run than is seen, the programs, and the command.
fn rows() -> Vec<(bool, bool, BTreeSet<String>, String)> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let (read, command) = line.split_once(" | ").expect("a row has a command");
        let mut read = read.split_whitespace();
        let (sudo, opaque, programs) = (read.next().unwrap(), read.next().unwrap(), read.next().unwrap());
        let programs = programs.split(',').filter(|name| *name != "-").map(String::from).collect();
        (sudo == "S", opaque == "O", programs, command.replace("\\n", "\n").replace("\\\\", "\\"))
    })
    .collect()
}

#[test]
fn every_command_of_the_table_is_read_as_it_says() {
    let mut wrong = Vec::new();
    let rows = rows();
    for (sudo, opaque, programs, command) in &rows {
        let read = command::read(command.as_bytes());
        if (read.sudo, read.opaque, &read.programs) != (*sudo, *opaque, programs) {
            wrong.push(format!("{command:?}: sudo {} opaque {} programs {:?}", read.sudo, read.opaque, read.programs));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() >= 100, "the table has {} rows", rows.len());
}

#[test]
fn only_one_plain_command_has_an_argv() {
    let argv = |command: &str| command::read(command.as_bytes()).argv.map(|words| words.join(" "));
    assert_eq!(argv("systemctl restart 'my app'").as_deref(), Some("systemctl restart my app"));
    for command in ["ls; id", "ls $X", "ls > x", "X=1 ls", "ls | wc", "ls $(id)", "env ls", "ls *", "(ls)", "ls &&id"] {
        assert_eq!(argv(command), None, "{command}");
    }
}

#[test]
fn what_is_too_long_or_no_text_is_opaque() {
    assert!(command::read(&vec![b'a'; MAX_COMMAND + 1]).opaque);
    assert!(command::read(b"ls \xff").opaque);
    assert!(command::read(b"ls \0").opaque);
}

#[test]
fn no_text_takes_long_to_read() {
    let deep = ["(", "$(", "`", "{ ", "((", "[[ ", "${a:-", "<(", "if true; then ", "\"$(", "case x in x) ", "! "];
    for unit in deep {
        for count in [5, 6, 9, 12, 20, 45, 200, 4_000] {
            let began = Instant::now();
            command::read(unit.repeat(count).as_bytes());
            assert!(began.elapsed() < Duration::from_secs(2), "{count} times {unit:?} took {:?}", began.elapsed());
        }
    }
}
