//! Which system user runs the servers: PostgreSQL refuses to run as root, so root lends another.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// A user without privileges, or the caller if that is not root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// User and group to change to; `None` stays who we are.
    change: Option<(u32, u32)>,
}

impl Account {
    /// The user that servers run as: `postgres` or `nobody` for root, otherwise the caller.
    pub fn for_servers() -> anyhow::Result<Self> {
        if !Self::is_root() {
            return Ok(Self { change: None });
        }
        let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        let found = ["postgres", "nobody"].iter().find_map(|name| entry(&passwd, name));
        Ok(Self { change: Some(found.context("neither user `postgres` nor `nobody` exists")?) })
    }

    /// The user that this process runs as.
    pub const fn caller() -> Self {
        Self { change: None }
    }

    /// Whether this process runs as root.
    pub fn is_root() -> bool {
        fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
    }

    /// A command that runs `program` as this user.
    pub fn command(self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let Some((user, group)) = self.change else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups").arg("--");
        command.arg(program);
        command
    }

    /// Gives a file or folder to this user.
    pub fn own(self, path: &Path) -> anyhow::Result<()> {
        if let Some((user, group)) = self.change {
            chown(path, Some(user), Some(group)).with_context(|| format!("cannot give away `{}`", path.display()))?;
        }
        Ok(())
    }
}

fn entry(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_the_line_of_that_very_user() {
        let passwd = "root:x:0:0::/root:/bin/sh\npostgresx:x:7:8::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(entry(passwd, "postgres"), Some((101, 104)));
        assert_eq!(entry(passwd, "nobody"), None);
    }
}
