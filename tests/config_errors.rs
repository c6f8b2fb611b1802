//! A config with every kind of mistake, and what the user is told.
//!
//! `config_errors/*.txt` holds the cases: what is wrong, the text, `=>`, the rendered errors. `DIR` is where
//! the config lies.

use std::fs;
use std::path::Path;
use std::time::Duration;

use seriesgate::clock;
use seriesgate::config::{Config, ConfigErrors, Loaded};

const CASES: [&str; 5] = [
    include_str!("config_errors/yaml.txt"),
    include_str!("config_errors/listen.txt"),
    include_str!("config_errors/series.txt"),
    include_str!("config_errors/upstreams.txt"),
    include_str!("config_errors/policies.txt"),
];
/// Mistakes in one file.
const MANY: usize = 39_000;
/// What a file with so many may take, on a slow machine and without optimisation.
const BEARABLE: Duration = Duration::from_secs(20);
/// The secret of all cases. It never shows.
const SECRET: &str = "hunter2";

fn parse(text: &str, dir: &Path) -> Result<Loaded, ConfigErrors> {
    Config::parse(text, "gate.yaml", dir, &|_| None)
}

#[test]
fn every_mistake_is_shown_at_its_place_with_what_was_expected() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "tok\n").unwrap();
    fs::write(dir.path().join("empty"), "\n").unwrap();
    let mut failures = Vec::new();
    for case in CASES.iter().flat_map(|file| file.split("=== ").skip(1)) {
        let (what, rest) = case.split_once('\n').expect("a title");
        let (text, expected) = rest.split_once("=>\n").expect("a text, `=>`, what is told");
        let told = match parse(text, dir.path()) {
            Ok(_) => "accepted".to_owned(),
            Err(errors) => errors.to_string().replace(dir.path().to_str().unwrap(), "DIR"),
        };
        assert!(!told.contains(SECRET), "{what}: the secret shows:\n{told}");
        if told.trim_end() != expected.trim_end() {
            failures.push(format!("=== {what}\nexpected:\n{expected}\nbut told:\n{told}\n"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_unreadable_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let load = |path: &Path| Config::load(path, &|_| None).expect_err("refused").to_string();
    let missing = dir.path().join("none.yaml");
    let told = load(&missing);
    assert_eq!(
        told,
        format!("{}: cannot read the file: No such file or directory (os error 2)", missing.display())
    );
    assert!(load(dir.path()).contains("cannot read the file: Is a directory"));
}

#[test]
fn a_file_that_is_not_utf8_is_refused_at_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gate.yaml");
    fs::write(&path, b"listen: {}\nadmin: \xff\n").unwrap();
    let told = Config::load(&path, &|_| None).expect_err("refused").to_string();
    assert_eq!(told, format!("{}:2:8: not UTF-8 text: byte 0xff", path.display()));
}

#[test]
fn errors_can_be_read_one_by_one() {
    let errors = parse("listen: { backlog: 0 }\n", Path::new("")).expect_err("refused");
    let [whole, placed] = errors.errors() else { panic!("two errors: {errors}") };
    assert_eq!((whole.line(), whole.column()), (None, None));
    assert_eq!((placed.line(), placed.column()), (Some(1), Some(20)));
    assert_eq!(placed.message(), "0 is out of range; expected 1 to 65535");
}

#[test]
fn a_file_full_of_mistakes_is_read_no_further_and_says_so() {
    let text = |wrong: usize| {
        let policies = "  - { name: a, action: drop, mode: [x] }\n".repeat(wrong);
        format!("upstreams: [ {{ name: a, url: http://h/w }} ]\npolicies:\n{policies}")
    };
    let told = |wrong| parse(&text(wrong), Path::new("")).expect_err("refused");
    let lists = |errors: &ConfigErrors| {
        errors.errors().iter().filter(|error| error.message() == "expected a single value here").count()
    };
    let (few, many) = (told(49), told(1000));
    // and 48 names that are taken: of two mistakes in each line but the first, 50 are told
    assert_eq!((lists(&few), few.errors().len(), few.more()), (25, 50, 47));
    assert!(few.to_string().ends_with("^\nand 47 more"), "{few}");
    assert_eq!((lists(&many), many.errors().len(), many.more()), (50, 51, 0));
    assert!(many.errors()[0].message().contains("the rest of the file was not checked"), "{many}");
}

#[test]
fn what_stands_below_upstreams_in_another_shape_is_hidden_whole() {
    for text in [
        "upstreams: { primary: { basic_auth: { admin: hunter2 } } }",
        "upstreams: { X-Auth: hunter2 }",
        "upstreams:\n  primary:\n    X-Auth: hunter2",
        "upstreams: hunter2",
        "upstreams: [ hunter2 ]",
        "upstreams: [ [ { value: hunter2 } ] ]",
        "upstreams: &u { X-Auth: hunter2 }\nlisten: *u",
    ] {
        let told = parse(&format!("{text}\n"), Path::new("")).expect_err(text);
        assert!(!format!("{told}\n{told:?}").contains(SECRET), "{text}:\n{told}");
    }
}

#[test]
fn a_short_secret_is_not_cut_out_of_the_words_of_a_message() {
    for (text, message) in [
        ("upstreams: [ a ]", "expected a mapping (`key: value`) here"),
        ("upstreams: [ value ]", "expected a mapping (`key: value`) here"),
        (
            "upstreams: [ { name: b, url: a } ]",
            "the url has no scheme; expected `http://` or `https://`, such as `https://host:8428/api/v1/write`",
        ),
        ("admin: { address: 'e@1' }", "`<secret>` is not an IP address with a port, such as `0.0.0.0:9201`"),
    ] {
        let errors = parse(text, Path::new("")).expect_err(text);
        assert!(errors.errors().iter().any(|error| error.message() == message), "{text}: {errors}");
    }
}

/// The work for one mistake must not be that of the whole line, or of all other mistakes: that took minutes.
#[test]
fn many_mistakes_take_no_longer_than_reading_the_file() {
    let each =
        |item: fn(usize) -> String, between: &str| (0..MANY).map(item).collect::<Vec<_>>().join(between);
    let key = |n| format!("k{n}: 1");
    let policy = |n| format!("{{ name: p{n}, actoin: drop }}");
    let upstream = "upstreams: [ { name: a, url: http://h/w } ]\n";
    for (what, text, found) in [
        ("keys in one line", format!("{upstream}listen: {{ {} }}\n", each(key, ", ")), MANY),
        ("keys", format!("{upstream}listen:\n  {}\n", each(key, "\n  ")), MANY),
        (
            "values in one line",
            format!("{upstream}listen: {{ paths: [ {} ] }}\n", each(|_| "x".into(), ", ")),
            MANY,
        ),
        (
            "values",
            format!("{upstream}listen:\n  paths:\n    - {}\n", each(|_| "é".into(), "\n    - ")),
            MANY,
        ),
        ("items in one line", format!("{upstream}policies: [ {} ]\n", each(policy, ", ")), MANY),
        ("items", format!("{upstream}policies:\n  - {}\n", each(policy, "\n  - ")), MANY),
        ("wrong kinds in one line", format!("{upstream}policies: [ {} ]\n", each(|_| "[]".into(), ", ")), 50),
        (
            "secrets in one line",
            format!("upstreams: [ {{ {} }} ]\n", each(|n| format!("token{n}: 'é'"), ", ")),
            MANY,
        ),
    ] {
        let start = clock::monotonic();
        let errors = parse(&text, Path::new("")).expect_err(what);
        let told = errors.to_string();
        let took = start.elapsed();
        assert!(took < BEARABLE, "{what}: {took:?}");
        assert!(told.lines().all(|line| line.chars().count() < 1000), "{what}");
        let placed = errors.errors().iter().filter(|error| error.line().is_some()).count();
        assert_eq!(placed, 50, "{what}");
        assert!(placed + errors.more() >= found, "{what}: {}", errors.more());
    }
}

#[test]
fn a_line_full_of_urls_is_masked_in_one_pass() {
    let each = |url: &str, between: &str| vec![url; MANY / 4].join(between);
    for text in [
        format!("x: {}\n", each("http://u:hunter2@h", " ")),
        format!("x: {}\n", each("http://h", " ")),
        format!("x: {{ a: {} }}\n", each("http://u:hunter2@${H}", " ")),
        format!("listen: {{ x: [ {} ] }}\n", each("http://u:hunter2@h", ", ")),
        format!("x: {}\n", each("http://h/w?hunter2", " ")),
        format!("x: {}\n", each("'http://u:hunter2@h'", " ")),
    ] {
        let start = clock::monotonic();
        let told = parse(&text, Path::new("")).expect_err("unknown keys").to_string();
        let took = start.elapsed();
        assert!(took < BEARABLE, "{took:?} for {}", &text[..60]);
        assert!(!told.contains(SECRET), "{told}");
    }
}

/// A secret in each YAML form, with a mistake in the same lines, shows in none of the errors.
#[test]
fn secrets_never_show_in_the_lines_of_errors() {
    for keys in [
        "bearer_token: hunter2\n    bearer_token: hunter2",
        "bearer_token: |\n      hunter2\n     bad indentation: x",
        "bearer_token hunter2",
        "- bearer_token   hunter2",
        "bearer_token: [ hunter2 ]",
        "bearer_token: { hunter2: x }",
        "basic_auth: { username: u, pasword: hunter2 }",
        "basic_auth: [ hunter2 ]",
        "basic_auth: { username: 'a:b', password: hunter2 } }",
        "headers: [ hunter2 ]",
        "headers:\n      - X-A: hunter2",
        "headers: { X-A: hunter2, X-A: hunter2 }",
        "headers: hunter2",
        "tokn: hunter2",
        "tls: { kee: hunter2, ca_file: [ x ] }",
        "tls: { kee: \"x\n      hunter2\", insecure_skip_verify: 1 }",
        "tls: { 'my kee': hunter2, insecure_skip_verify: 1 }",
        "bearer_token: \"hunter2",
        "bearer_token: \"${hunter2\"",
        "bearer_token: \"x\\nhunter2\"",
        "url: http://u:hunter2@h/",
        "url: h/hunter2/w",
        "url: //hunter2@h/w",
        "url: 'http://h h/hunter2'",
        "bearer_token_file: hunter2",
        "bearer_token_file: 'hunter2 x'",
        "bearer_token_file: eyJhunter2.eyJhunter2.hunter2",
        "bearer_token_file hunter2",
        "tls: { cert_file: token, key_file: |\n        hunter2 }",
        "tls: { ca_file: hunter2 }",
        "headers_from_files: { X-A: hunter2 }",
        "headers_from_files:\n      X-A: hunter2",
        "timeout: 5x # hunter2",
        "timeout: 5x   # bearer_token: \"hunter2\"",
        "timeout: [ 5s ] # 'hunter2'",
        "timeout: '5s # hunter2",
        "basic_auth: { username: a:hunter2, password: x }",
        "basic_auth: { username: 'a:hunter2', password: x }",
        "basic_auth:\n      username: \"a:hunter2\"\n      password: x",
        "basic_auth: { username_file: hunter2, password: x }",
        "basic_auth:\n      username: a\n      password: 'pa'hunter2'",
        "basic_auth:\n      username: a\n      password: \"pa\"hunter2 x\"",
        "bearer_token:\n    hunter2",
        "bearer_token:\n  hunter2",
        "bearer_token: >\n    hunter2",
        "bearer_token: |\n   hunter2",
        "bearer_token:\n    - hunter2\n    - hunter2",
        "bearer_token:\n    hunter2: x",
        "headers:\n    - X-A: hunter2\n    - X-B: hunter2",
        "bearer_token: \"abc\\\nhunter2\"\n    timeout: 5x",
        "bearer_token: *hunter2",
        "bearer_token: %hunter2",
        "bearer_token: !hunter2 x",
        "bearer_token: &a hunter2\n    name: *b",
        "name: &a hunter2\n    bearer_token: *b",
        "? bearer_token\n    hunter2",
        "bearer_token: &t hunter2\n    timeout: *t",
        "bearer_token: &t 'hunter2'\n    upstream_429: *t",
        "bearer_token: &t |\n      hunter2\n    timeout: *t",
        "bearer_token: &t >-\n      hunter2\n    tls: { insecure_skip_verify: *t }\n    timeout: *t",
        "headers: { X-A: &t hunter2 }\n    max_connection_age: *t",
        "headers: &t { X-A: hunter2 }\n    timeout: 5x\n    headers_from_files: *t",
        "headers: { X-A: &t hunter2, *t : x, ? *t : y }",
        "basic_auth: &t { username: u, password: hunter2 }\npolicies:\n  - *t",
        "bearer_token: &t 'a(hunter2'\npolicies:\n  - { name: a, match: *t, action: drop }",
        "bearer_token: &t '(hunter2'\npolicies:\n  - { name: *t, action: *t, mode: *t, relabel_configs: [ { regex: *t, action: *t } ] }",
        "bearer_token: &t hunter2\nlisten: { address: *t, invalid: *t, max_body_size: *t }\nadmin: { address: *t }",
        "url: https://b/w?tok=q\"zhunter2\n    timeout: 5x",
        "url: http://u:p\"zhunter2@b/w",
        "url: 'http://u:p\"zhunter2@b/w'",
        "url: \"http://u:p\\\"zhunter2@b/w\"",
        "url: \"https://b/w?tok=q\\\"zhunter2\"\n    timeout: [ x ]",
        "? url\n    : http://u:p\"zhunter2@b/w",
        "\"\\x75rl\": http://u:p\"zhunter2@b/w",
        "url: &u http://u:p\"zhunter2@b/w\n    timeout: *u",
        "url: !!str http://u:hunter2/w",
        "url: http://v:hunter2/w",
        "url: http://v:1hunter2",
        "url: http:v:hunter2/w",
        "url: http://u:hunter2 pa@v/w",
        "url: http://hunter2\n      @v/w",
        "url: 'http://hunter2\n      @v/w'",
        "url: http://hunter2\n      @v/w\n    timeout: [ x",
        "url: 'http://u:hunter2 pa@v/w'",
        "headers:\n      My Key: hunter2 pa",
        "url: http://u:pa hunter2@v/w",
        "url: 'http://u:pa hunter2@v/w'",
        "url: 'http://h/w?a hunter2'",
        "url: http://b/w\n      ?tok=hunter2\n   foo: x",
        "url: http://b/w?a=\n      hunter2\n   foo: [",
        "url: \"http://b/w?a=\n hunter2: [",
        "url: \"http://b/w?a=\n      hunter2\"\n   foo: [",
        "url: >-\n      http://b/w\n      ?tok=hunter2\n   foo: [",
        "url http://v:hunter2/w",
        "tls: { ca_file: ca.pem }\n    url: http://h/w\n    hunter2 [",
        "timeout: http://u:hunter2@h/w",
        "timeout:\n      hunter2",
        "timeout: 'http://h/w?tok=\n      hunter2'",
        "headers:\n      My Key: pa hunter2",
        "headers:\n      Authorization Bearer hunter2: x",
        "headers:\n      'My Key': hunter2\n      X-A: hunter2\n   foo: [",
        "timeout: '9x'# hunter2",
        "timeout: '9x'#hunter2",
        "timeout: 9x# hunter2",
        "timeout: [ 9x ]# hunter2",
        "tls: { insecure_skip_verify: 1 }# hunter2",
        "- hunter2",
        "passwd=hunter2: x",
        "bearer_token:hunter2: x",
        "timeout: { basic_auth: { value: hunter2 } }",
        "tls: [ { value: hunter2 } ]",
        "tls: { server_name: { value: hunter2 } }",
        "basic_auth: { value: hunter2, username: [] }",
        "basic_auth: [ { value: hunter2 } ]",
        "timeout: 5x\n  - [ { basic_auth: { value: hunter2 } } ]",
        "timeout: 5x\n  - { X-Auth: { value: hunter2 } }",
        "timeout: 5x\nlisten: [ { basic_auth: { value: hunter2 } } ]",
        "timeout: 5x\npolicies: [ { headers: { value: hunter2 }, basic_auth: { value: hunter2 } } ]",
        "timeout: 5x\npolicies: { basic_auth: { value: hunter2 } }",
        "timeout: 5x\nadmin: { address: 'u:hunter2@127.0.0.1:9202' }",
        "timeout: 5x\nadmin: { address: u:hunter2@127.0.0.1:9202, x: y }",
        "timeout: 5x\nlisten:\n  address: u:hunter2@127.0.0.1:9202",
        "timeout: 5x\nlisten:\n  address: u:hunter2@127.0.0.1:9202\n  paths: [ x",
    ] {
        let url = if keys.contains("url") || keys.contains("x75rl") { "" } else { "url: http://h/w\n    " };
        let text = format!("upstreams:\n  - name: a\n    {url}{keys}\n");
        let errors = parse(&text, Path::new("")).expect_err(keys);
        let (shown, debug) = (errors.to_string(), format!("{errors:?}"));
        assert!(!shown.contains(SECRET), "{keys}:\n{shown}");
        assert!(!debug.contains(SECRET), "{keys}:\n{debug}");
    }
}
