//! What README.md and docs/policies.md show of `check`, `explain` and `simulate` is what these print.
//!
//! A block whose first line is `# PATH` is a file of that path; a later one replaces it. In a `console` block `$ ` begins
//! a command, and what it prints follows. Commands run in a folder that holds the document's files so far. `report` asks
//! a gate that has seen the simulated incident for an hour and a half: its answer is the one that the report's own tests
//! hold the gate to.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

const RUN: [&str; 4] =
    ["seriesgate check ", "seriesgate explain ", "seriesgate simulate ", "seriesgate report "];
/// What a gate answers `report`.
const REPORT: &str = include_str!("data/report/churn_by_metric.json");
/// What the address of that gate stands in place of.
const ADMIN: &str = "seriesgate report ";

/// A gate's admin port, as far as `report` asks it; lives as long as the test.
fn admin_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let asked = head.next().unwrap_or_default();
            head.take_while(|line| !line.is_empty()).for_each(drop);
            let (status, body) = match asked.split(' ').nth(1) {
                Some("/api/v1/churn?by=metric&limit=3") => ("200 OK", REPORT),
                Some("/api/v1/rejected?limit=3") => ("200 OK", "{\"rows_total\":0,\"rows\":[]}"),
                _ => ("404 Not Found", ""),
            };
            let length = body.len();
            let sent = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            sent.unwrap();
        }
    });
    address
}

/// A fenced block: the word behind the fence, and the lines.
fn blocks(document: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in document.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(_), true) => open = false,
            (Some(kind), false) => {
                blocks.push((kind.to_owned(), Vec::new()));
                open = true;
            }
            (None, true) => blocks.last_mut().unwrap().1.push(line.to_owned()),
            (None, false) => {}
        }
    }
    assert!(!open, "a block is not closed");
    blocks
}

/// The path that a block names as its own.
fn path_of(block: &[String]) -> Option<&str> {
    let path = block.first()?.strip_prefix("# ")?;
    (path.contains('.') && !path.contains(' ')).then_some(path)
}

/// Each command with the lines that it prints.
fn commands(block: &[String]) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in block {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command.to_owned(), String::new())),
            None => {
                let (_, printed) = commands.last_mut().expect("a console block begins with a command");
                printed.push_str(line);
                printed.push('\n');
            }
        }
    }
    commands
}

/// What the shell shows of a command.
fn shown(command: &str, dir: &Path) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_seriesgate")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let command = match command.strip_prefix(ADMIN) {
        Some(options) => format!("{ADMIN}--admin {} {options}", admin_port()),
        None => command.to_owned(),
    };
    let output = Command::new("sh")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(dir)
        .env("PATH", path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Runs what a document shows; how many commands that were.
fn held_to(name: &str) -> usize {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for (kind, block) in blocks(&document) {
        if let Some(path) = path_of(&block) {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, block.join("\n") + "\n").unwrap();
        }
        if kind != "console" {
            let hidden = block.iter().find(|line| RUN.iter().any(|run| line.contains(run)));
            assert!(hidden.is_none(), "{name}: a command outside of a `console` block: {hidden:?}");
            continue;
        }
        for (command, printed) in commands(&block) {
            if RUN.iter().any(|run| command.starts_with(run)) {
                let shown = shown(&command, dir.path());
                assert_eq!(shown, printed, "{name}: $ {command}\n{shown}");
                ran += 1;
            }
        }
    }
    ran
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    assert_eq!(held_to("README.md"), 3);
}

#[test]
fn the_docs_on_policies_show_what_the_program_prints() {
    assert_eq!(held_to("docs/policies.md"), 3);
}

#[test]
fn a_block_is_a_file_or_commands() {
    let document = "text\n```yaml\n# a/b.yaml\nx: 1\n```\n```console\n$ one\nout\n\n$ two\n```\n";
    let blocks = blocks(document);
    assert_eq!(path_of(&blocks[0].1), Some("a/b.yaml"));
    assert_eq!(path_of(&blocks[1].1), None);
    let expected = [("one".to_owned(), "out\n\n".to_owned()), ("two".to_owned(), String::new())];
    assert_eq!(commands(&blocks[1].1), expected);
}
