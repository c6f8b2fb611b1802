//! CPU and memory of another process, as the kernel counts them. Linux only; elsewhere there is nothing to read.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks of `/proc/PID/stat` in a second: fixed by Linux for user space on every common machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time and memory of a process at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time of all its threads, in seconds, in steps of 10 ms.
    pub cpu_seconds: f64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// The most it ever had resident, in KiB.
    pub peak_kib: u64,
}

impl Usage {
    /// Reads the usage of process `pid`.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("cannot read the CPU time of process {pid}"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .with_context(|| format!("cannot read the memory of process {pid}"))?;
        Ok(Self {
            cpu_seconds: cpu_seconds(&stat).with_context(|| format!("/proc/{pid}/stat is odd"))?,
            rss_kib: kib(&status, "VmRSS:"),
            peak_kib: kib(&status, "VmHWM:"),
        })
    }
}

/// Waits until a process uses next to no CPU (below 5% of a core over 400 ms), `limit` at most, and
/// returns its usage then. Work that it still has in hand belongs to whoever gave it.
pub async fn when_idle(pid: u32, limit: Duration) -> Result<Usage> {
    const STEP: Duration = Duration::from_millis(400);
    let mut last = Usage::of(pid)?;
    for _ in 0..limit.as_millis() / STEP.as_millis() {
        tokio::time::sleep(STEP).await;
        let now = Usage::of(pid)?;
        let used = now.cpu_seconds - last.cpu_seconds;
        last = now;
        if used <= 0.02 {
            break;
        }
    }
    Ok(last)
}

/// The name of a process may hold anything, so the fields are counted from behind its closing bracket.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn kib(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
    }

    #[test]
    fn memory_is_read_by_its_key() {
        assert_eq!(kib("VmPeak:\t 9 kB\nVmRSS:\t  1234 kB\n", "VmRSS:"), 1234);
        assert_eq!(kib("", "VmRSS:"), 0);
    }
}
