//! `seriesgate check`: what it says of a config that is good and may yet not do what was meant.
//!
//! `check_config/*.txt` holds the cases: what it is about, the policies or a whole config, `=>`, what is said.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use seriesgate::config::Config;

const CASES: [&str; 7] = [
    include_str!("check_config/labels.txt"),
    include_str!("check_config/types.txt"),
    include_str!("check_config/writers.txt"),
    include_str!("check_config/connections.txt"),
    include_str!("check_config/reach.txt"),
    include_str!("check_config/name.txt"),
    include_str!("check_config/upstream.txt"),
];

/// The only gate there is.
const HEAD: &str = "listen: { max_connection_age: 0s }\nupstreams: [ { name: a, url: 'http://h/w' } ]\n";

/// A list of policies is put below the usual upstream.
fn whole(text: &str) -> String {
    if text.starts_with('-') { format!("{HEAD}policies:\n{text}") } else { text.to_owned() }
}

#[test]
fn what_may_not_be_meant_is_said_at_its_place() {
    let mut failures = Vec::new();
    for case in CASES.iter().flat_map(|file| file.split("=== ").skip(1)) {
        let (what, rest) = case.split_once('\n').expect("a title");
        let (text, expected) = rest.split_once("=>\n").expect("a config, `=>`, what is said");
        let loaded = Config::parse(&whole(text), "gate.yaml", Path::new(""), &|_| None);
        let told = loaded.map_or_else(|errors| errors.to_string(), |loaded| loaded.remarks.to_string());
        if told.trim_end() != expected.trim_end() {
            failures.push(format!("=== {what}\n{text}=>\n{told}\n\n(expected:\n{expected})\n"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(config: &str, options: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("gate.yaml"), config).expect("written");
    fs::write(dir.path().join("rules.yaml"), "groups: [ { name: g, rules: [ { alert: A, expr: up } ] } ]\n")
        .expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    let command = command.current_dir(dir.path()).args(["check", "--config", "gate.yaml"]);
    command.args(options).output().expect("runs")
}

#[test]
fn the_file_may_be_given_without_the_option() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("gate.yaml"), HEAD).expect("written");
    let check = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
        let output = command.current_dir(dir.path()).arg("check").args(args).output().expect("runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("UTF-8"))
    };
    let (good, told) = check(&["gate.yaml"]);
    assert_eq!((good, &told), (Some(0), &check(&["--config", "gate.yaml"]).1));
    assert!(told.starts_with("gate.yaml: ok, 0 policies, "), "{told}");
    for wrong in [&[][..], &["gate.yaml", "--config", "gate.yaml"], &["gate.yaml", "gate.yaml"]] {
        let (code, told) = check(wrong);
        assert!(code == Some(2) && told.contains("Usage: seriesgate check"), "{wrong:?}: {told}");
        assert!(!wrong.is_empty() || told.contains("--config <FILE>"), "{told}");
    }
}

#[test]
fn warnings_come_behind_the_verdict_and_fail_only_when_they_are_asked_to() {
    let policy = |keys: &str| {
        format!("{HEAD}policies:\n- {{ name: x, match: hits_total, action: aggregate, without: [{keys}] }}\n")
    };
    let (good, doubtful) = (policy("pod"), policy("pod, le"));
    let drops = format!("{HEAD}policies:\n- {{ name: x, match: up, action: drop }}\n");
    let note = format!("{HEAD}policies:\n- {{ name: x, match: up, action: aggregate, without: [pod] }}\n");
    for (config, options, code, said) in [
        (&good, &[][..], 0, false),
        (&good, &["--strict"], 0, false),
        (&doubtful, &[], 0, true),
        (&doubtful, &["--strict"], 1, true),
        (&note, &["--strict"], 0, false),
        (&drops, &["--rules", "rules.yaml"], 0, true),
        (&drops, &["--strict", "--rules", "rules.yaml"], 1, true),
    ] {
        let output = check(config, options);
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{options:?}\n{told}");
        assert!(told.starts_with("gate.yaml: ok, 1 policy,"), "{told}");
        assert_eq!(told.contains(": warning: "), said, "{told}");
    }
}

#[test]
fn too_little_memory_is_a_warning_at_its_place() {
    let limited = |series: &str| format!("{HEAD}memory: {{ limit: 64MiB }}\n{series}");
    for (config, place) in [
        (
            limited("series: { max_tracked: 1000000 }\n"),
            "gate.yaml:4:24: warning: `series.max_tracked: 1000000` series",
        ),
        // the default: what leaves no room for it is the limit
        (limited(""), "gate.yaml:3:18: warning: `series.max_tracked: 2000000` series"),
    ] {
        let output = check(&config, &["--strict"]);
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{told}");
        let lines: Vec<&str> = told.lines().skip(1).collect();
        assert!(lines.len() == 3 && lines[0].starts_with(place), "{told}");
        let column = place.split(':').nth(2).and_then(|text| text.parse::<usize>().ok()).expect("a column");
        assert_eq!(lines[2].find('^'), Some("  4 | ".len() + column - 1), "{told}");
    }
    // in the order of the file, among the others
    let drops = "policies: [ { name: all, action: drop } ]\n";
    let output = check(&limited(&format!("{drops}series: {{ max_tracked: 1000000 }}\n")), &[]);
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let places: Vec<&str> =
        told.lines().filter_map(|line| line.split_once(": warning: ")).map(|(at, _)| at).collect();
    assert!(places.len() == 2 && places[0].starts_with("gate.yaml:4:"), "{told}");
    assert_eq!(places[1], "gate.yaml:5:24", "{told}");
}

#[test]
fn the_configs_that_we_ship_are_beyond_doubt() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut seen = 0;
    for entry in fs::read_dir(dir).expect("there") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|ext| ext == "yaml") {
            let env = |name: &str| Some(if name.ends_with("URL") { "http://h/w" } else { "x" }.to_owned());
            let loaded = Config::load(&path, &env).expect("good");
            assert!(loaded.remarks.warnings().is_empty(), "{}", loaded.remarks);
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}
