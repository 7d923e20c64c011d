//! `seams`: which crate of ours may depend on which, and that every protocol proves itself.
//!
//! It reads the graph that cargo knows, so an arrow cannot hide behind a feature or a rename.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use clap::Args;

use crate::command::root;

/// Fail on any dependency between workspace crates that the design does not allow.
///
/// Allowed are: portcullis → runtime, control, protocols, sql, core; protocols → core (and sql:
/// postgres, mysql); sql, runtime, control → core; as dev-dependencies any → testkit, runtime → sql. tests,
/// benches and xtask may use all. Every protocol crate must run `conformance!`.
#[derive(Args)]
pub(crate) struct Options {}

/// The crates that are no protocol; every other crate under `crates/` is one.
const HOUSE: [&str; 6] = ["core", "sql", "runtime", "control", "testkit", "portcullis"];
/// Outside `crates/`: free to use everything.
const FREE: [&str; 3] = ["tests", "benches", "xtask"];
/// Protocols that speak SQL.
const SPEAKS_SQL: [&str; 2] = ["postgres", "mysql"];

/// A dependency of one workspace crate on another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: String,
    to: String,
    dev: bool,
}

pub(crate) fn run(_: &Options) -> anyhow::Result<()> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec()?;
    let packages = metadata.workspace_packages();
    let arrows = arrows(&packages);
    let mut faults: Vec<String> = arrows.iter().filter_map(fault).collect();
    for package in packages.iter().filter(|package| is_protocol(&short(&package.name))) {
        let folder = package.manifest_path.parent().context("a manifest has a folder")?;
        if !mentions_conformance(folder.as_std_path())? {
            faults.push(format!("`{}` does not run `conformance!`, as every protocol must", short(&package.name)));
        }
    }
    if faults.is_empty() {
        println!("seams: {} crates, {} arrows, all allowed", packages.len(), arrows.len());
        return Ok(());
    }
    bail!("{}", faults.join("\n"))
}

fn arrows(packages: &[&Package]) -> BTreeSet<Arrow> {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut arrows = BTreeSet::new();
    for package in packages {
        for dependency in package.dependencies.iter().filter(|dependency| ours.contains(dependency.name.as_str())) {
            let dev = dependency.kind == DependencyKind::Development;
            arrows.insert(Arrow { from: short(&package.name), to: short(&dependency.name), dev });
        }
    }
    arrows
}

fn short(package: &str) -> String {
    package.strip_prefix("portcullis-").unwrap_or(package).to_owned()
}

fn is_protocol(name: &str) -> bool {
    !HOUSE.contains(&name) && !FREE.contains(&name)
}

/// Why an arrow is not allowed, if it is not.
fn fault(arrow: &Arrow) -> Option<String> {
    let Arrow { from, to, dev } = arrow;
    let allowed = match (from.as_str(), to.as_str()) {
        (from, _) if FREE.contains(&from) => true,
        (_, "testkit") => *dev,
        ("core", _) => false,
        (_, "core") => true,
        ("portcullis", "runtime" | "control" | "sql") => true,
        ("portcullis", to) => is_protocol(to),
        (from, "sql") if SPEAKS_SQL.contains(&from) => true,
        // Its policy engine is tested with the words of a real family.
        ("runtime", "sql") => *dev,
        _ => false,
    };
    let kind = if *dev { "dev-dependency" } else { "dependency" };
    (!allowed).then(|| format!("`{from}` must not have `{to}` as a {kind}"))
}

fn mentions_conformance(folder: &Path) -> anyhow::Result<bool> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))? {
        let path = entry?.path();
        let found = match path.extension() {
            _ if path.is_dir() => mentions_conformance(&path)?,
            Some(extension) if extension == "rs" => fs::read_to_string(&path)?.contains("conformance!("),
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, dev: bool, expected: Option<&str>) {
        let arrow = Arrow { from: from.to_owned(), to: to.to_owned(), dev };
        assert_eq!(fault(&arrow).as_deref(), expected, "{arrow:?}");
    }

    #[test]
    fn the_arrows_of_the_design_are_allowed() {
        for (from, to) in [
            ("portcullis", "runtime"),
            ("portcullis", "postgres"),
            ("portcullis", "core"),
            ("postgres", "core"),
            ("postgres", "sql"),
            ("ssh", "core"),
            ("sql", "core"),
            ("runtime", "core"),
            ("control", "core"),
            ("testkit", "core"),
            ("xtask", "testkit"),
            ("tests", "postgres"),
        ] {
            check(from, to, false, None);
        }
        check("postgres", "testkit", true, None);
        check("runtime", "sql", true, None);
    }

    #[test]
    fn an_added_arrow_is_red() {
        check("postgres", "runtime", false, Some("`postgres` must not have `runtime` as a dependency"));
        check("postgres", "mysql", false, Some("`postgres` must not have `mysql` as a dependency"));
        check("ssh", "sql", false, Some("`ssh` must not have `sql` as a dependency"));
        check("runtime", "postgres", false, Some("`runtime` must not have `postgres` as a dependency"));
        check("control", "runtime", false, Some("`control` must not have `runtime` as a dependency"));
        check("core", "sql", false, Some("`core` must not have `sql` as a dependency"));
        check("runtime", "sql", false, Some("`runtime` must not have `sql` as a dependency"));
        check("sql", "runtime", true, Some("`sql` must not have `runtime` as a dev-dependency"));
        check("runtime", "testkit", false, Some("`runtime` must not have `testkit` as a dependency"));
        check("testkit", "runtime", false, Some("`testkit` must not have `runtime` as a dependency"));
    }
}
