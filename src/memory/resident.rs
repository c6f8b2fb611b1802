//! How much memory the process has of the machine.

/// Bytes that are its own: what files are mapped is not counted, as the kernel takes it back at will. `None` where nothing
/// can be read (not Linux, `/proc` hidden).
pub fn resident_bytes() -> Option<usize> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<usize> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_processs_own_is_told() {
        assert_eq!(parse("VmRSS:\t  9000 kB\nRssAnon:\t    1234 kB\nRssFile:\t 1 kB\n"), Some(1234 * 1024));
        assert_eq!(parse("VmRSS:\t  9000 kB\n"), None);
        #[cfg(target_os = "linux")]
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
