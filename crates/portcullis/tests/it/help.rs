//! Help, completions and the schema.

use crate::gate::Folder;

#[test]
fn help_teaches_every_command_by_example() {
    let folder = Folder::new();
    for args in [
        &["--help"][..],
        &["serve", "--help"],
        &["check", "--help"],
        &["sessions", "--help"],
        &["replay", "--help"],
        &["verify", "--help"],
        &["policy", "check", "--help"],
        &["policy", "test", "--help"],
        &["policy", "explain", "--help"],
        &["completions", "--help"],
    ] {
        let ran = folder.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}");
        let example = format!("  portcullis {}", args[..args.len() - 1].join(" "));
        assert!(ran.out.contains(&example), "{args:?} shows no `{example}`:\n{}", ran.out);
        assert!(!ran.out.contains('\u{1b}'), "no colours where there is no terminal");
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for args in [&["swerve"][..], &["verify"], &["serve", "--loud"], &[]] {
        assert_eq!(Folder::new().run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = Folder::new().run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}");
        assert!(ran.out.contains("verify"), "{shell}");
    }
}

#[test]
fn the_checked_in_schema_is_the_one_of_this_build() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.schema.json");
    let ran = Folder::new().run(&["config", "schema"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == ran.out,
        "docs/config.schema.json is old; run `cargo run -- config schema > docs/config.schema.json`"
    );
}
