//! `seriesgate check`.

use std::path::Path;
use std::process::ExitCode;

/// Exit 0 and a summary, or 1 and every mistake.
#[allow(clippy::print_stdout)]
pub(super) fn check(path: &Path) -> ExitCode {
    let loaded = match super::load(path) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let config = loaded.config;
    println!(
        "{}: ok, {} policies, upstream `{}`{}",
        path.display(),
        config.policies.len(),
        config.upstream.name,
        if config.data_dir.is_none() { ", memory only (no data_dir)" } else { "" },
    );
    ExitCode::SUCCESS
}
