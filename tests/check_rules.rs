//! `seriesgate check --rules`: what the program says of alerts that policies break.
//!
//! `check_rules/*.txt` holds the cases: what it is about, the policies, `--- rules`, a rule file, `=>`, and the
//! output behind the line about the config; errors stand behind the rest.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const CASES: [&str; 5] = [
    include_str!("check_rules/dropped.txt"),
    include_str!("check_rules/relabeled.txt"),
    include_str!("check_rules/files.txt"),
    include_str!("check_rules/aggregated.txt"),
    include_str!("check_rules/possible.txt"),
];

const UPSTREAM: &str = "listen: { max_connection_age: 0s }\nupstreams: [ { name: a, url: 'http://h/w' } ]\n";

fn check(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    command.current_dir(dir).args(["check", "--config", "gate.yaml"]).args(args).output().expect("runs")
}

/// What follows the line about the config, and the errors.
fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let shown = text(&output.stdout);
    let (ok, rest) = shown.split_once('\n').unwrap_or_default();
    assert!(ok.starts_with("gate.yaml: ok, "), "{shown}{}", text(&output.stderr));
    format!("{rest}{}", text(&output.stderr))
}

#[test]
fn each_rule_that_a_policy_breaks_is_shown_with_the_reason() {
    let mut failures = Vec::new();
    for case in CASES.iter().flat_map(|file| file.split("=== ").skip(1)) {
        let (what, rest) = case.split_once('\n').expect("a title");
        let (policies, rest) = rest.split_once("--- rules\n").expect("policies, `--- rules`");
        let (rules, expected) = rest.split_once("=>\n").expect("rules, `=>`, what is told");
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("gate.yaml"), format!("{UPSTREAM}policies:\n{policies}")).expect("written");
        fs::write(dir.path().join("rules.yaml"), rules).expect("written");
        let output = check(dir.path(), &["--rules", "rules.yaml"]);
        let told = told(&output);
        if told.trim_end() != expected.trim_end() {
            failures.push(format!("=== {what}\nexpected:\n{expected}\nbut told:\n{told}\n"));
        }
        // Warnings are no failure; a file that is no rule file is.
        let good = told.contains(" rule file");
        assert_eq!(output.status.code(), Some(i32::from(!good)), "{what}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn several_files_and_patterns_are_read_once_each() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    let rule = |name: &str| format!("groups: [ {{ name: g, rules: [ {{ alert: {name}, expr: up }} ] }} ]\n");
    write("gate.yaml", UPSTREAM);
    for name in ["a.yaml", "b.yaml", "c.yml", "[d].yaml"] {
        write(name, &rule("up"));
    }
    for (args, expected) in [
        (&["--rules", "a.yaml", "b.yaml", "--rules", "c.yml"][..], "3 rule files, 3 rules, 0 warnings\n"),
        (&["--rules", "[ab].yaml", "a.yaml"], "2 rule files, 2 rules, 0 warnings\n"),
        (&["--rules", "*.y*ml", "[d].yaml"], "5 rule files, 4 rules, 0 warnings\n"),
        (&["--rules", "x*"], "x*: no file has such a name\n"),
        (&["--rules", "x"], "x: cannot read the file: No such file or directory (os error 2)\n"),
    ] {
        let expected = if args[1] == "*.y*ml" { "gate.yaml: no rules in here" } else { expected };
        let told = told(&check(dir.path(), args));
        assert!(told.starts_with(expected), "{args:?}: {told}");
    }
}

#[test]
fn a_bad_file_does_not_hide_what_is_said_of_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    let policies = "policies: [ { name: drops, match: up, action: drop }, { name: ns, match: '{ns=\"x\"}', action: drop } ]\n";
    write("gate.yaml", &format!("{UPSTREAM}{policies}"));
    write("a.yaml", "groups: [ { name: g, rules: [ { alert: a, expr: '(' } ] } ]\n");
    for (name, expr) in [("b.yaml", "up"), ("c.yaml", "x or y"), ("d.yaml", "z")] {
        let rule = format!("{{ alert: r, expr: {expr} }}");
        write(name, &format!("groups: [ {{ name: g, rules: [ {rule} ] }} ]\n"));
    }
    let output = check(dir.path(), &["--rules", "[a-d].yaml", "none.yaml"]);
    let (shown, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        shown.contains("b.yaml:1:49: warning: alert `r` (group `g`) reads `up`, all of which"),
        "{shown}"
    );
    assert!(shown.contains("2 rules may read what it drops (c.yaml:g/r, d.yaml:g/r);"), "{shown}");
    assert!(wrong.starts_with("a.yaml:1:51: alert `a` (group `g`):"), "{wrong}");
    assert!(wrong.contains("none.yaml: cannot read the file"), "{wrong}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_config_with_mistakes_is_refused_before_rules_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = "polices: []\nupstreams: [ { name: a, url: 'http://h/w' } ]\n";
    fs::write(dir.path().join("gate.yaml"), config).expect("written");
    let output = check(dir.path(), &["--rules", "none.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("gate.yaml:1:1: unknown key `polices`"));
}

/// Expressions that nest as deep as they are long are hostile, or made by a program gone wild.
#[test]
fn deep_expressions_do_not_end_the_program() {
    let dir = tempfile::tempdir().expect("a directory");
    let deep = [
        format!("{}x{}", "(".repeat(3_000), ")".repeat(3_000)),
        format!("1{}", "+1".repeat(15_000)),
        format!("{}1", "-".repeat(30_000)),
        "x".repeat(70_000),
    ];
    let rules: String = deep.iter().map(|expr| format!("  - {{ alert: a, expr: '{expr}' }}\n")).collect();
    fs::write(dir.path().join("gate.yaml"), UPSTREAM).expect("written");
    fs::write(dir.path().join("r.yaml"), format!("groups:\n- name: g\n  rules:\n{rules}")).expect("written");
    let output = check(dir.path(), &["--rules", "r.yaml"]);
    let told = told(&output);
    assert!(told.contains("cannot read this expression: it is longer than 64 KiB"), "{told}");
    assert!(told.ends_with("1 rule file, 4 rules, 1 warning\n"), "{told}");
}
