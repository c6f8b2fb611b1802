//! Puts the commit into the program: `--version` and `seriesgate_build_info` say it.

use std::path::Path;
use std::process::Command;

/// Characters of a commit that are shown; no other commit of the repository begins with them.
const SHOWN: &str = "--short=12";

#[allow(clippy::print_stdout)] // how cargo is told
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SERIESGATE_COMMIT");
    let given = std::env::var("SERIESGATE_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let optimised = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match given {
        Some(commit) => commit.trim().to_owned(),
        // each commit would build everything anew for whoever works on it
        None if !optimised => "dev".to_owned(),
        None => of_work_tree().unwrap_or_else(|| "unknown".to_owned()),
    };
    println!("cargo::rustc-env=SERIESGATE_COMMIT={commit}");
}

/// What is checked out here; nothing where there is no git, or the sources lie in a repository of somebody else.
fn of_work_tree() -> Option<String> {
    let root = Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if root != Path::new(&std::env::var_os("CARGO_MANIFEST_DIR")?).canonicalize().ok()? {
        return None;
    }
    watch();
    git(&["rev-parse", SHOWN, "HEAD"])
}

/// Has cargo ask again once another commit is checked out.
#[allow(clippy::print_stdout)] // how cargo is told
fn watch() {
    // the log of HEAD grows with every commit, HEAD itself changes with the branch only; cargo would build anew each
    // time for a file that is not there
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
