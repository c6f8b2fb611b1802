//! What an installed gate has beside the gate: `health`, manual pages, completions, and files that agree with it.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

#[path = "install/files.rs"]
mod files;
#[path = "install/health.rs"]
mod health;
#[allow(dead_code)] // the end-to-end tests use the rest
#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn seriesgate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seriesgate")).args(arguments).output().unwrap()
}

/// What it prints where all is well.
fn said(arguments: &[&str]) -> String {
    let output = seriesgate(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands, as `--help` lists them.
fn commands() -> Vec<String> {
    let help = said(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

/// Whether a program is here to try something with.
fn have(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn the_version_says_which_commit() {
    let version = said(&["--version"]);
    let commit = version.trim_end().strip_prefix(concat!("seriesgate ", env!("CARGO_PKG_VERSION"), " ("));
    let commit = commit.and_then(|rest| rest.strip_suffix(')')).unwrap_or_else(|| panic!("{version}"));
    assert!(!commit.is_empty() && !commit.contains(char::is_whitespace), "{version}");
    if cfg!(debug_assertions) && option_env!("SERIESGATE_COMMIT").is_none() {
        assert_eq!(commit, "dev", "else each commit would build everything anew");
    }
    assert_eq!(version, said(&["-V"]));
}

#[test]
fn each_shell_can_complete_each_command() {
    let commands = commands();
    assert!(commands.len() >= 9, "{commands:?}");
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
        // fish and zsh take -n as bash does
        if ["bash", "zsh", "fish"].contains(&shell) && have(shell) {
            let path = dir.path().join(shell);
            std::fs::write(&path, script).unwrap();
            let parsed = Command::new(shell).arg("-n").arg(path).output().unwrap();
            assert!(parsed.status.success() && parsed.stderr.is_empty(), "{parsed:?}");
        }
    }
    let unknown = seriesgate(&["completions", "tcsh"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("bash, elvish, fish, powershell, zsh"));
}

#[test]
fn bash_completes_what_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("seriesgate");
    std::fs::write(&script, said(&["completions", "bash"])).unwrap();
    let ask = ". \"$1\"; COMP_WORDS=(seriesgate he); COMP_CWORD=1; _seriesgate seriesgate he seriesgate; \
               echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash").args(["-c", ask, "bash"]).arg(script).output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.split_whitespace().any(|word| word == "health"), "{found}");
}

#[test]
fn each_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man/man1");
    assert_eq!(said(&["man", pages.to_str().unwrap()]), "");
    let main = std::fs::read_to_string(pages.join("seriesgate.1")).unwrap();
    assert_eq!(said(&["man"]), main);
    for command in commands() {
        let page = std::fs::read_to_string(pages.join(format!("seriesgate-{command}.1"))).unwrap();
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(page.contains(part), "{command}: {part}");
        }
        assert!(main.contains(&format!("seriesgate\\-{command}(1)")), "the first page leads to {command}");
    }
    assert_eq!(std::fs::read_dir(&pages).unwrap().count(), commands().len() + 1);
    if have("mandoc") {
        let page = pages.join("seriesgate.1");
        let lint = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(page).output().unwrap();
        assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
    }
}

#[test]
fn pages_that_cannot_be_written_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = seriesgate(&["man", file.join("man1").to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.contains("man: cannot write to"), "{error}");
}

/// Something to send.
fn one_series() -> seriesgate_proto::WriteRequest {
    use seriesgate_proto::{TimeSeries, WriteRequest};
    WriteRequest::of(vec![TimeSeries::named("up", &[("job", "a")]).with_sample(1_000, 1.0)])
}
