//! The program as people use it: what it prints, writes and returns, and that it leaves nothing running.

#![allow(clippy::unwrap_used)] // the helpers are tests too

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_seriesgate-loadtest");

fn loadtest(words: &[&str]) -> Output {
    Command::new(PROGRAM).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_prints_saves_and_draws() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (json, html) = (file("run.json"), file("run.html"));
    let run = loadtest(&[
        "run",
        "small",
        "--no-proxy",
        "--every",
        "100ms",
        "--scrapes",
        "15",
        "--save",
        &json,
        "--html",
        &html,
    ]);
    let (out, err) = (text(&run.stdout), text(&run.stderr));
    // 3: the machine had no time for the sender, which this small load can do nothing about
    assert!(matches!(run.status.code(), Some(0 | 3)), "{out}{err}");
    assert!(out.contains("bit for bit") && out.contains("accepted, 0 refused, 0 unknown"), "{out}");
    assert!(err.contains("warming up") && err.contains("comparing"), "{err}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("<svg") && page.contains("bit for bit") && !page.contains("<script"), "{page}");

    let (side_by_side, plots) = (file("both.html"), file("plots"));
    let show = loadtest(&["show", &json, &json, "--html", &side_by_side, "--svg", &plots]);
    assert_eq!(show.status.code(), Some(0), "{}", text(&show.stderr));
    assert_eq!(text(&show.stdout), format!("{out}\n{out}\n"));
    assert_eq!(std::fs::read_to_string(&side_by_side).unwrap().matches("<svg").count(), 12);
    assert_eq!(std::fs::read_dir(&plots).unwrap().count(), 6);
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    for (words, hint) in [
        (&["run", "smal"][..], "gateway-1m"),
        (&["run", "small", "--target", "http://127.0.0.1:1/"], "--sink-listen"),
        (&["run", "small", "--gate", "/nowhere/gate"], "cargo build"),
        (&["run", "small", "--series", "5"], "plain"),
        (&["run", "small", "--", "true"], "{listen}"),
        (&["compare", "small"], "vmagent"),
        (&["plan", "small", "--coefficients", "/nowhere.json"], "calibrate"),
        (&["capacity", "small", "--no-proxy", "--sweep", "churn=1"], "gateway-1m"),
        (&["replay", "/nowhere"], "/nowhere"),
        (&["run", "small", "--behave", "boom"], "503@10+20"),
        (&["run", "small", "--protocol", "v3"], "zstd"),
        (&["sink", "--behave", "v2:200@0+1"], "between 400 and 599"),
    ] {
        let failed = loadtest(words);
        let err = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(2), "{words:?}: {err}");
        assert!(err.contains(hint), "{words:?}: {err}");
    }
}

#[test]
fn a_proxy_that_does_not_start_is_quoted() {
    let failed =
        loadtest(&["run", "small", "--", "sh", "-c", "echo no such luck >&2; exit 3", "{listen}{upstream}"]);
    let err = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(2));
    assert!(err.contains("ended at once") && err.contains("no such luck"), "{err}");
}

/// A proxy that swallows everything: a sink, which answers 204 and sends nothing on.
fn swallowed(more: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["run", "small", "--every", "100ms"]).args(more).args(["--", PROGRAM, "sink"]);
    command.args(["{listen}", "--keep-running", "--group-by", "{upstream}"]);
    command
}

#[test]
fn a_proxy_that_loses_everything_is_exit_status_1() {
    let run = swallowed(&["--scrapes", "3", "--quiet"]).output().unwrap();
    let out = text(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{out}{}", text(&run.stderr));
    assert!(out.contains("FAULTS") && out.contains("samples are missing"), "{out}");
    assert!(run.stderr.is_empty(), "quiet is quiet: {}", text(&run.stderr));
}

#[test]
fn who_is_ended_early_ends_the_proxy_first() {
    let mut run =
        swallowed(&["--scrapes", "3000"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let proxy = child_of(&run);
    kill_process(Pid::from_raw(run.id() as i32).unwrap(), Signal::TERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    // it is told to end, and takes a moment
    for _ in 0..500 {
        if !std::path::Path::new(&format!("/proc/{proxy}/cmdline")).exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("process {proxy} is still there");
}

/// The first child of a process, once it has one.
fn child_of(parent: &Child) -> u32 {
    for _ in 0..500 {
        for task in std::fs::read_dir(format!("/proc/{}/task", parent.id())).unwrap() {
            let children = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            if let Some(child) = children.split_ascii_whitespace().next() {
                return child.parse().unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it started nothing");
}

/// As on a disk that is full.
#[test]
fn what_the_command_line_asks_for_and_cannot_be_written_is_a_failure() {
    for words in [&["--version"][..], &["--help"], &["run", "--help"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = Command::new(PROGRAM).args(words).stdout(full).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {told}");
        assert!(told.contains("cannot write to standard output: No space left on device"), "{told}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(PROGRAM).args(words).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{words:?}");
    }
    assert_eq!(loadtest(&["bogus"]).status.code(), Some(2));
}

/// Every series is new in every scrape, twenty times a second: more than can be prepared.
#[test]
fn a_result_that_the_sender_limited_is_refused() {
    let run = loadtest(&[
        "run",
        "gateway-1m",
        "--no-proxy",
        "--count",
        "bytes",
        "--series",
        "200000",
        "--churn",
        "1",
        "--every",
        "20ms",
        "--scrapes",
        "5",
        "--warm",
        "1",
        "--quiet",
    ]);
    let out = text(&run.stdout);
    assert_eq!(run.status.code(), Some(3), "{out}{}", text(&run.stderr));
    assert!(out.contains("NOT VALID"), "{out}");
}
