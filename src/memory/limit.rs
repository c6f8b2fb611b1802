//! How much memory the process may use: the tightest of cgroup v2, cgroup v1 and the machine.
//!
//! Asked once at start, before there is traffic.

use std::path::Path;

/// cgroup v1 writes "unlimited" as the largest page-aligned `i64`; nobody has a machine of an exbibyte.
const UNLIMITED_FROM: u64 = 1 << 60;

/// The memory limit in bytes; `None` where nothing can be read (not Linux, `/proc` hidden).
pub fn limit_bytes() -> Option<u64> {
    limit_under(Path::new("/"))
}

fn limit_under(root: &Path) -> Option<u64> {
    let read = |path: String| std::fs::read_to_string(root.join(path)).ok();
    let groups = read("proc/self/cgroup".into()).unwrap_or_default();
    let cgroups = limit_files(&groups).into_iter().filter_map(|path| parse_limit(&read(path)?));
    let machine = read("proc/meminfo".into()).and_then(|text| parse_mem_total(&text));
    cgroups.chain(machine).min()
}

/// The limit files that may apply: the group's own and those above it, since any of them binds. In a container the
/// path of `/proc/self/cgroup` is often not mounted, and the limit lies at the root.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mount, file) = if controllers.is_empty() {
            ("sys/fs/cgroup", "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            continue;
        };
        let mut path = path.trim_end_matches('/');
        loop {
            files.push(format!("{mount}{path}/{file}"));
            match path.rfind('/') {
                Some(parent) => path = &path[..parent],
                None => break,
            }
        }
    }
    files
}

/// `max` and v1's huge number are no limit.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < UNLIMITED_FROM)
}

fn parse_mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        2048 kB\nMemFree:  100 kB\n");

    #[test]
    fn the_tightest_group_above_us_binds() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/pods/pod1/box\n"),
            ("sys/fs/cgroup/pods/pod1/box/memory.max", "max\n"),
            ("sys/fs/cgroup/pods/pod1/memory.max", "1000000\n"),
            ("sys/fs/cgroup/pods/memory.max", "1500000\n"),
            MEMINFO,
        ]);
        assert_eq!(limit_under(root.path()), Some(1_000_000));
    }

    #[test]
    fn in_a_container_the_limit_lies_at_the_root() {
        let root = tree(&[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "536870\n"), MEMINFO]);
        assert_eq!(limit_under(root.path()), Some(536_870));
    }

    #[test]
    fn version_one_names_its_file_otherwise() {
        let groups = "11:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n";
        let limit = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        let root = tree(&[("proc/self/cgroup", groups), (limit, "700000\n"), MEMINFO]);
        assert_eq!(limit_under(root.path()), Some(700_000));
        let root = tree(&[("proc/self/cgroup", groups), (limit, "9223372036854771712\n"), MEMINFO]);
        assert_eq!(limit_under(root.path()), Some(2048 * 1024));
    }

    #[test]
    fn nothing_readable_is_no_answer() {
        assert_eq!(limit_under(tree(&[]).path()), None);
        assert_eq!(parse_mem_total("MemTotal: lots"), None);
    }
}
