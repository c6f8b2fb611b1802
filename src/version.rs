//! What this program is a build of.

/// The version of the release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that was built; `dev` in debug builds, `unknown` where there was no git to ask.
pub const COMMIT: &str = env!("SERIESGATE_COMMIT");
/// Both, as `--version` says them.
pub const FULL: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("SERIESGATE_COMMIT"), ")");
