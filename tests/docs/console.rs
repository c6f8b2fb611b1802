//! What a `console` block shows of a command is what the command prints.
//!
//! In such a block `$ ` begins a command, and what it prints follows; a line `…` stands for any lines. Commands run in a
//! folder that holds the files that the document has named so far (`# PATH` as the first line of a block).

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{admin, blocks};

/// What the address of a gate stands in place of.
const ADMIN: &str = "seriesgate report ";
/// A line that stands for any.
const ANY_LINES: &str = "…";

/// Each command with the lines that it prints.
fn commands(block: &[String]) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in block {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command.to_owned(), Vec::new())),
            None => {
                let (_, printed) = commands.last_mut().expect("a console block begins with a command");
                printed.push(line.clone());
            }
        }
    }
    commands
}

/// What the shell shows of a command.
fn shown(command: &str, dir: &Path) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_seriesgate")).parent().expect("a directory");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let command = match command.strip_prefix(ADMIN) {
        Some(options) => format!("{ADMIN}--admin {} {options}", admin::port()),
        None => command.to_owned(),
    };
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", &format!("{command} 2>&1")]).current_dir(dir).env("PATH", path);
    String::from_utf8(shell.output().expect("runs").stdout).expect("text")
}

/// Whether lines are as expected, where [`ANY_LINES`] stands for any.
fn same(expected: &[String], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == ANY_LINES => {
            (0..=lines.len()).any(|skipped| same(rest, &lines[skipped..]))
        }
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, lines)| first == line && same(rest, lines))
        }
    }
}

/// Runs what a document shows; how many commands that were.
fn held_to(name: &str) -> usize {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ran = 0;
    for block in blocks::of(&blocks::read(name)) {
        if let Some(path) = block.path() {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
            fs::write(path, block.text()).expect("written");
        }
        if block.kind == "console" {
            for (command, expected) in commands(&block.lines) {
                let shown = shown(&command, dir.path());
                let lines: Vec<&str> = shown.lines().collect();
                assert!(same(&expected, &lines), "{name}:{}: $ {command}\n{shown}", block.line);
                ran += 1;
            }
        }
    }
    ran
}

#[test]
fn the_docs_show_what_the_programs_print() {
    // what it shows is measured, and another run measures something else
    let documents = blocks::documents().into_iter().filter(|name| name != "loadtest/README.md");
    let ran: Vec<_> = documents.map(|name| (held_to(&name), name)).filter(|(ran, _)| *ran > 0).collect();
    for (least, document) in [(4, "README.md"), (3, "docs/policies.md")] {
        assert!(ran.iter().any(|(ran, name)| *ran >= least && name == document), "{document}: {ran:?}");
    }
}

#[test]
fn a_line_of_dots_stands_for_any_lines() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(same(&lines("…\nb\n…"), &["a", "b", "c"]) && same(&lines("…\nb"), &["b"]));
    assert!(!same(&lines("…\nb"), &["a", "b", "c"]) && !same(&lines("a"), &["a", "b"]));
}

#[test]
fn a_command_begins_with_a_dollar_and_has_the_lines_behind_it() {
    let block = ["$ one", "out", "", "$ two"].map(str::to_owned);
    let expected = [("one".to_owned(), vec!["out".to_owned(), String::new()]), ("two".to_owned(), vec![])];
    assert_eq!(commands(&block), expected);
}
