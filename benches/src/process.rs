//! What the kernel says about a process: its memory and the processor time it has spent.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// The unit of times in /proc: 100 a second on every Linux of today.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of all threads since the process began.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    ticks(&text).map(|ticks| TICK * ticks).with_context(|| format!("`{path}` has another form"))
}

/// Resident memory in KiB.
pub(crate) fn resident(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("`{path}` names no VmRSS"))
}

/// The 14th and 15th field of a `stat` line; the second, the name, may hold spaces.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 250 31 0 0 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(281));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
