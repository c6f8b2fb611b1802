//! The command line as people type it: what may stand where, and how each command ends.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const GOOD: &str = "listen: { address: 127.0.0.1:0, max_body_size: 8Mi }\nadmin: { address: 127.0.0.1:0 }\n\
                    upstreams: [ { name: a, url: 'http://h/w' } ]\n";
/// Takes all that it can from outside of itself, and nothing of it is there.
const SECRETS: &str = "listen:\n  auth: { users: [ { username: '${NO_SUCH_SENDER}', password_file: no/such/pw, tenant: t }, { bearer_token_file: no/such/token } ] }\n  \
                       tls: { cert_file: no/such/own, key_file: no/such/key, client_ca_file: no/such/clients }\n\
                       admin:\n  auth: { users: [ { bearer_token_file: no/such/token }, { bearer_token: '${NO_SUCH_TOKEN}', role: change } ] }\n\
                       upstreams:\n  - name: a\n    url: '${NO_SUCH_URL}'\n    \
                       headers: { X-A: 'v ${NO_SUCH_VALUE}' }\n    headers_from_files: { X-B: no/such/file }\n    \
                       basic_auth: { username: '${NO_SUCH_USER}', password_file: '${NO_SUCH_DIR}/password' }\n    \
                       tls: { ca_file: no/such/ca, cert_file: no/such/cert, key_file: no/such/key, server_name: '${NO_SUCH_HOST}' }\n\
                       policies: [ { name: noise, match: noise, action: drop } ]\n";

/// A directory with files that the tests name.
fn files() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("good.yaml", GOOD.to_owned()),
        ("bad.yaml", "listn: {}\n".to_owned()),
        ("doubtful.yaml", format!("{GOOD}policies: [ {{ name: all, action: drop }} ]\n")),
        ("secrets.yaml", SECRETS.to_owned()),
        ("drops.yaml", format!("{GOOD}policies: [ {{ name: up, match: up, action: drop }} ]\n")),
        ("rules.yaml", "groups: [ { name: g, rules: [ { alert: A, expr: up } ] } ]\n".to_owned()),
        ("no-rules.yaml", "groups: 5\n".to_owned()),
        ("recorded.txt", "up 1 1764547200000\nnoise 1 1764547200000\n".to_owned()),
        ("no-recording.txt", "up\n".to_owned()),
        ("empty.txt", String::new()),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// Exit status, standard output, standard error.
fn run(dir: &Path, args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    let command = command.current_dir(dir).args(args);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // whoever refuses its arguments does not read it
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn each_command_ends_as_the_docs_say() {
    let dir = files();
    for (code, args) in [
        (0, "check good.yaml"),
        (0, "check -c good.yaml"),
        (0, "check --strict good.yaml"),
        (0, "check doubtful.yaml"),
        (0, "check drops.yaml --rules rules.yaml"),
        (0, "check --no-secrets --strict secrets.yaml"),
        (1, "check --strict doubtful.yaml"),
        (1, "check --strict drops.yaml --rules rules.yaml"),
        (1, "check good.yaml --rules no-rules.yaml"),
        (1, "check good.yaml --rules absent.yaml"),
        (2, "check bad.yaml"),
        (2, "check --strict bad.yaml"),
        (2, "check secrets.yaml"),
        (2, "check absent.yaml"),
        (2, "check bad.yaml --rules no-rules.yaml"),
        (2, "check"),
        (2, "check --strct good.yaml"),
        (2, "check --rules rules.yaml good.yaml"),
        (0, "explain good.yaml up"),
        (0, "explain -c good.yaml up"),
        (0, "explain secrets.yaml up"),
        (1, "explain good.yaml up{"),
        (1, "explain good.yaml up{ up"),
        (1, "explain good.yaml --owners absent.txt up"),
        (2, "explain bad.yaml up"),
        (2, "explain absent.yaml up"),
        (2, "explain good.yaml --now yesterday up"),
        (2, "explain"),
        (0, "simulate -c good.yaml recorded.txt"),
        (0, "simulate good.yaml recorded.txt"),
        (0, "simulate secrets.yaml recorded.txt"),
        (0, "simulate good.yaml empty.txt"),
        (1, "simulate good.yaml absent.txt"),
        (1, "simulate good.yaml no-recording.txt"),
        (2, "simulate bad.yaml recorded.txt"),
        (2, "simulate absent.yaml recorded.txt"),
        (2, "simulate good.yaml"),
        (2, "simulate -c good.yaml"),
        (2, "simulate good.yaml recorded.txt --interval 30"),
        (2, "simulate good.yaml recorded.txt --interval 0s"),
        (1, "report --admin 127.0.0.1:1"),
        (2, "report --by pods"),
        (2, "report --admin ftp://x"),
        (1, "health --admin 127.0.0.1:1"),
        (2, "health --admin ftp://x"),
        (2, "health --admin 127.0.0.1:99999"),
        (2, "health --timeout 0s"),
        (2, "demo --hours 0"),
        (2, "run bad.yaml"),
        (2, "run -c absent.yaml"),
        (2, "run secrets.yaml"),
        (2, "run"),
        (2, "rnu good.yaml"),
    ] {
        let words: Vec<&str> = args.split(' ').collect();
        let (ended, out, err) = run(dir.path(), &words, "");
        assert_eq!(ended, code, "seriesgate {args}\n{out}{err}");
        // who fails says so where it is seen; a warning stands with what is said of the config
        let says_why = !err.is_empty() || words.contains(&"--strict");
        assert!(says_why || code == 0, "seriesgate {args}");
    }
}

/// `run` ends 0 and 1 in `end_to_end.rs`.
#[test]
fn the_docs_say_how_each_command_ends() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    let docs = fs::read_to_string(docs).unwrap();
    let (_, help, _) = run(Path::new("."), &["--help"], "");
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let commands = listed.lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() >= 7, "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(
            docs.contains(&format!("\n| {command} | ")),
            "docs/config.md does not say how `{command}` ends"
        );
    }
}

#[test]
fn a_config_may_come_from_standard_input_or_a_pipe() {
    let dir = files();
    let run = |args: &[&str], stdin: &str| run(dir.path(), args, stdin);
    for args in [&["check", "-"][..], &["check", "--config", "-"], &["check", "/dev/stdin"]] {
        let (code, out, err) = run(args, GOOD);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        assert!(out.starts_with("<stdin>: ok, 0 policies, "), "{out}");
        let (code, out, err) = run(args, &format!("{GOOD}polices: []\n"));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(err.starts_with("<stdin>:4:1: unknown key `polices`"), "{err}");
    }
    // relative to where we are, as a path on the command line is
    fs::write(dir.path().join("token"), "t\n").unwrap();
    let with =
        |file: &str| format!("upstreams: [ {{ name: a, url: 'http://h/w', bearer_token_file: {file} }} ]\n");
    assert_eq!(run(&["check", "-"], &with("token")).0, 0);
    let (code, _, err) = run(&["check", "-"], &with("tokens"));
    assert!(code == 2 && err.contains("cannot read `tokens`: No such file"), "{err}");

    let (code, out, _) = run(&["explain", "-", "up"], GOOD);
    assert_eq!((code, out.as_str()), (0, "up\n  => forward (no policy ended the walk)\n"));
    assert_eq!(run(&["explain", "--config", "-", "up"], GOOD).0, 0);
    let (code, out, _) = run(&["simulate", "--print", "-", "recorded.txt"], GOOD);
    assert_eq!((code, out.as_str()), (0, "noise 1 1764547200000\nup 1 1764547200000\n"));

    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn(move || fs::write(pipe, GOOD).unwrap());
    let (code, out, err) = run(&["check", "pipe"], "");
    writer.join().unwrap();
    assert!(code == 0 && out.starts_with("pipe: ok, 0 policies, "), "{out}{err}");
}

#[test]
fn what_is_tried_may_come_from_standard_input() {
    let dir = files();
    let run = |args: &[&str], stdin: &str| run(dir.path(), args, stdin);
    let explained = "up\n  => forward (no policy ended the walk)\n";
    for args in
        [&["explain", "good.yaml"][..], &["explain", "good.yaml", "-"], &["explain", "-c", "good.yaml"]]
    {
        let (code, out, err) = run(args, "\n# HELP\n  up  \n\n");
        assert_eq!((code, out.as_str(), err.as_str()), (0, explained, ""), "{args:?}");
    }
    let (code, out, err) = run(
        &[
            "simulate",
            "good.yaml",
            "--interval",
            "30s",
            "--start",
            "1764547230",
            "--print",
            "recorded.txt",
            "-",
        ],
        "up 2\n",
    );
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "noise 1 1764547200000\nup 1 1764547200000\nup 2 1764547230000\n", "")
    );
    let (code, _, err) = run(&["simulate", "good.yaml", "-"], "up 2\n");
    assert!(code == 1 && err.starts_with("<stdin>:1:1: the sample has no timestamp; "), "{err}");
}

#[test]
fn standard_input_is_read_once_and_not_by_a_gate_that_runs() {
    let dir = files();
    for (args, said) in [
        (
            "explain -",
            "the config and the series cannot all come from standard input, which is read once: type `seriesgate explain -",
        ),
        ("explain good.yaml --owners -", "--owners and the series cannot"),
        ("explain --config - --owners - up", "the config and --owners cannot"),
        ("simulate - -", "the config and the input cannot"),
        ("simulate good.yaml - -", "the input and a second input cannot"),
        (
            "run -",
            "a gate reads its config again at each reload, which it cannot do from standard input: put it into a file",
        ),
        ("run --config /dev/stdin", "a gate reads its config again"),
    ] {
        let (code, out, err) = run(dir.path(), &args.split(' ').collect::<Vec<_>>(), GOOD);
        assert_eq!((code, out.as_str()), (2, ""), "{args}: {err}");
        assert!(err.starts_with(said), "{args}: {err}");
    }
}

#[test]
fn a_series_that_is_nothing_is_a_mistake_and_a_blank_line_is_not() {
    let dir = files();
    for blank in ["", "  "] {
        let (code, out, err) = run(dir.path(), &["explain", "good.yaml", blank, "up"], "");
        assert_eq!((code, out.as_str()), (1, "up\n  => forward (no policy ended the walk)\n"));
        assert_eq!(err, "'': the series is empty; expected a name, labels, or both: up{job=\"api\"}\n");
        let (code, out, err) = run(dir.path(), &["explain", "--json", "good.yaml", blank], "");
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(code == 1 && err.is_empty() && answer["error"].is_string(), "{out}{err}");
    }
    let nothing = "warning: there is nothing to explain: no series was given\n".to_owned();
    assert_eq!(run(dir.path(), &["explain", "good.yaml"], " \n\n"), (0, String::new(), nothing));
}

/// Neither of them talks to the upstream.
#[test]
fn what_is_tried_needs_no_secrets() {
    let dir = files();
    let run = |args: &[&str]| run(dir.path(), args, "");
    let (code, _, err) = run(&["check", "secrets.yaml"]);
    let missing = [
        "NO_SUCH_URL",
        "NO_SUCH_VALUE",
        "no/such/file",
        "NO_SUCH_USER",
        "NO_SUCH_DIR",
        "no/such/ca",
        "NO_SUCH_SENDER",
        "no/such/pw",
        "no/such/token",
        "no/such/own",
        "no/such/clients",
        "NO_SUCH_TOKEN",
    ];
    assert_eq!(code, 2);
    assert!(missing.iter().all(|name| err.contains(name)), "{err}");
    let (code, out, err) = run(&["explain", "secrets.yaml", "noise"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("=> drop (by noise)"), "{out}");
    let (code, out, err) = run(&["simulate", "--print", "secrets.yaml", "recorded.txt"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "up 1 1764547200000\n", ""));
    let (code, out, err) = run(&["check", "--strict", "--no-secrets", "secrets.yaml"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    // the rest of the config is looked at all the same
    let broken = SECRETS.replace("${NO_SUCH_USER}", "${NO SUCH}").replace("action: drop", "action: dorp");
    fs::write(dir.path().join("secrets.yaml"), broken).unwrap();
    let (code, _, err) = run(&["check", "--no-secrets", "secrets.yaml"]);
    assert!(code == 2 && err.lines().filter(|line| line.starts_with("secrets.yaml:")).count() == 2, "{err}");
}

#[test]
fn the_configs_that_we_ship_pass_as_a_step_of_ci() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for name in ["sidecar", "gateway", "arms-prom", "cronjob-history"] {
        let (code, out, err) =
            run(&configs, &["check", "--strict", "--no-secrets", &format!("{name}.yaml")], "");
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
    }
}

/// As `| head` does.
#[test]
fn who_reads_no_further_ends_no_command_with_a_failure() {
    let dir = files();
    for args in [
        "--version",
        "--help",
        "completions bash",
        "man",
        "check doubtful.yaml",
        "explain good.yaml up",
        "simulate --print good.yaml recorded.txt",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
        let command = command.current_dir(dir.path()).args(args.split(' ')).stdin(Stdio::null());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*told), (Some(0), ""), "{args}");
    }
}

/// A gate's admin port, as far as who asks it looks: it answers so many requests.
fn answers(requests: usize) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(requests) {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
        }
    });
    address
}

/// As on a disk that is full.
#[test]
fn what_cannot_be_written_is_a_failure() {
    let dir = files();
    let admin = answers(3);
    for args in [
        "--version",
        "--help",
        "help check",
        "check --help",
        "completions bash",
        "man",
        "check good.yaml",
        "explain good.yaml up",
        "explain --json good.yaml up",
        "simulate good.yaml recorded.txt",
        "simulate --json good.yaml recorded.txt",
        "simulate --print good.yaml recorded.txt",
        "health --ready --admin",
        "report --json --admin",
        "report --by policy --admin",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
        let command = command.current_dir(dir.path()).args(args.split(' ')).stdin(Stdio::null());
        let command = if args.ends_with("--admin") { command.arg(&admin) } else { command };
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args}: {told}");
        assert!(told.contains("No space left on device") && !told.contains("panicked"), "{args}: {told}");
        assert_eq!(told.lines().count(), 1, "{args}: {told}");
    }
}

/// What clap refuses it repeats.
#[test]
fn a_password_in_a_url_is_not_repeated() {
    let dir = files();
    for args in [
        "report --admin http://u:hunter2@h:9202",
        "health --admin http://u:hunter2@h",
        "health --admin=https://u:hunter2@h/hunter2",
        "report --admin u:hunter2",
        "report --admin http://u:hun\"ter2@h",
        "health --admin http://h?hunter2",
        "report --by http://u:hunter2@h",
        "report http://u:hunter2@h",
        "http://u:hunter2@h",
        "report --amin=http://u:hunter2@h",
        "check good.yaml http://u:hunter2@h",
    ] {
        let (code, out, err) = run(dir.path(), &args.split(' ').collect::<Vec<_>>(), "");
        assert_eq!((code, out.as_str()), (2, ""), "{args}: {err}");
        assert!(!err.contains("hunter2") && !err.contains("ter2"), "{args}: {err}");
        assert!(args.contains("amin=") || err.contains("<secret>"), "{args}: {err}");
    }
}

#[test]
fn rules_come_from_standard_input_where_the_config_does_not() {
    let dir = files();
    let rules = fs::read_to_string(dir.path().join("rules.yaml")).unwrap();
    let (code, out, _) = run(dir.path(), &["check", "drops.yaml", "--rules", "-"], &rules);
    assert!(code == 0 && out.contains("<stdin>:") && out.contains("1 rule file, 1 rule, "), "{out}");
    let (code, _, err) = run(dir.path(), &["check", "drops.yaml", "--rules", "-"], "groups: 5\n");
    assert!(code == 1 && err.starts_with("<stdin>:1:"), "{err}");
    let (code, out, err) = run(dir.path(), &["check", "-", "--rules", "-"], GOOD);
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(err, "the config and --rules cannot all come from standard input, which is read once\n");
}

#[test]
fn a_command_says_what_is_in_its_way() {
    let dir = files();
    let (code, _, err) = run(dir.path(), &["man", "rules.yaml"], "");
    assert_eq!(
        (code, err.as_str()),
        (1, "man: rules.yaml is a file; expected a directory, into which all pages go\n")
    );
    for stdin in ["", "\n\n", "# a comment\n"] {
        for args in [&["explain", "good.yaml"][..], &["explain", "--json", "good.yaml"]] {
            let (code, out, err) = run(dir.path(), args, stdin);
            assert_eq!((code, out.as_str()), (0, ""), "{stdin:?}");
            assert_eq!(err, "warning: there is nothing to explain: no series was given\n", "{stdin:?}");
        }
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command.current_dir(dir.path()).args(["explain", "good.yaml", "up"]).stdout(full).output();
    let told = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(told.starts_with("cannot write to standard output: "), "{told}");
}

/// A command ends as it would if somebody read what it says.
#[test]
fn whoever_cannot_be_told_changes_nothing() {
    let dir = files();
    for args in [
        "check bad.yaml",
        "check no-such.yaml",
        "check",
        "bogus",
        "run bad.yaml",
        "run no-such.yaml",
        "run -",
        "explain bad.yaml up",
        "explain good.yaml up{",
        "check --strict doubtful.yaml",
        "simulate good.yaml no-such.txt",
        "simulate good.yaml empty.txt",
        "report --admin 127.0.0.1:1",
        "health --admin 127.0.0.1:1",
        "man good.yaml",
    ] {
        let heard = run(dir.path(), &args.split(' ').collect::<Vec<_>>(), "").0;
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
        let command = command.current_dir(dir.path()).args(args.split(' ')).stdin(Stdio::null());
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let status = command.stdout(Stdio::null()).stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(heard), "{args}");
    }
}

#[test]
fn a_config_behind_the_rule_files_is_told_where_to_stand() {
    let dir = files();
    for args in
        ["check --rules rules.yaml good.yaml", "check --strict --rules rules.yaml good.yaml --no-secrets"]
    {
        let (code, out, err) = run(dir.path(), &args.split(' ').collect::<Vec<_>>(), "");
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(
            err.starts_with(
                "error: the config is missing: `--rules` takes all files behind it, `good.yaml`, too;"
            ),
            "{err}"
        );
        let (_, typed) = err.split_once("\n  seriesgate ").unwrap();
        let typed: Vec<&str> = typed.lines().next().unwrap().split(' ').collect();
        assert_eq!(typed, ["check", "good.yaml", "--rules", "rules.yaml"]);
        assert_eq!(run(dir.path(), &typed, "").0, 0);
    }
    // nothing is known of one file, or of an option that takes one
    for args in ["check --rules rules.yaml", "check --strict"] {
        let (code, _, err) = run(dir.path(), &args.split(' ').collect::<Vec<_>>(), "");
        assert!(code == 2 && err.contains("Usage: seriesgate check FILE [OPTIONS]"), "{err}");
        assert!(err.contains("--config <FILE>|FILE"), "{err}");
    }
}

#[test]
fn an_input_without_requests_is_said_and_not_counted() {
    let dir = files();
    let said =
        "warning: there were no requests: nothing in what was given holds a series, or says what one is\n";
    for (args, stdin, out) in [
        ("simulate good.yaml empty.txt", "", ""),
        ("simulate good.yaml -", "", ""),
        ("simulate good.yaml -", "\n# no metric\n", ""),
        ("simulate --print good.yaml -", "\n", ""),
        ("simulate good.yaml -", " \n\t\n", ""),
    ] {
        let told = run(dir.path(), &args.split(' ').collect::<Vec<_>>(), stdin);
        assert_eq!(told, (0, out.to_owned(), said.to_owned()), "{args} {stdin:?}");
    }
    let (code, out, err) = run(dir.path(), &["simulate", "--json", "good.yaml", "empty.txt"], "");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, err.as_str(), &told["in"]["bytes"]), (0, said, &serde_json::json!(0)));
    // beside one that has some it takes no part
    let both = run(dir.path(), &["simulate", "good.yaml", "empty.txt", "recorded.txt"], "");
    assert_eq!(both, run(dir.path(), &["simulate", "good.yaml", "recorded.txt"], ""));
}

#[test]
fn help_has_examples_and_a_wrong_command_line_is_answered_with_one() {
    let here = Path::new(".");
    for command in ["run", "check", "explain", "simulate", "report", "demo"] {
        for help in ["--help", "-h"] {
            let (code, out, err) = run(here, &[command, help], "");
            assert_eq!((code, err.as_str()), (0, ""));
            assert!(out.contains(&format!("\n  seriesgate {command}")), "{out}");
        }
        let (code, out, err) = run(here, &[command, "--no-such-option"], "");
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(
            err.trim_end()
                .lines()
                .last()
                .unwrap()
                .starts_with(&format!("for example:  seriesgate {command}")),
            "{err}"
        );
    }
    let (_, out, _) = run(here, &["--help"], "");
    assert!(out.contains("Exit status:\n") && out.contains("Start here:\n"), "{out}");
    let (code, _, err) = run(here, &["chek", "gate.yaml"], "");
    assert!(code == 2 && err.contains("'check'") && err.contains("for example:  seriesgate check"), "{err}");
}
