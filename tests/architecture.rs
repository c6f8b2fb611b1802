//! Holds the code against docs/architecture.md: who may use whom, and what is nowhere else.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules in the order in which they may use each other: each only those above it.
const ORDER: [&[&str]; 15] = [
    &["clock", "codec", "memory", "tls", "version"],
    &["wire"],
    &["series"],
    &["record"],
    &["policy", "cardinality"],
    &["aggregate", "admission"],
    &["config"],
    &["pipeline"],
    &["access", "telemetry", "health", "via", "browser", "socket"],
    &["intake", "egress", "admin", "queue"],
    &["gate"],
    &["runtime"],
    &["cli"],
    &["lib"],
    &["main"],
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Each file below `src`, its path and its code: comments and inline tests left out.
fn code() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    let is_test = |path: &String| path.ends_with("/tests.rs");
    files
        .iter()
        .map(|path| (relative(path), product_code(&std::fs::read_to_string(path).unwrap())))
        .filter(|(path, _)| !is_test(path))
        .collect()
}

fn product_code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    before_tests.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

fn rank(module: &str) -> usize {
    ORDER
        .iter()
        .position(|row| row.contains(&module))
        .unwrap_or_else(|| panic!("`{module}` has no place in ORDER"))
}

/// Modules named as `crate::x`, also in `use crate::{x, y}`.
fn used(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let list = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap());
        let items: Vec<&str> = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        for item in items {
            let name: String =
                item.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name.chars().next().is_some_and(|c| c.is_ascii_lowercase()) {
                names.push(name);
            }
        }
    }
    names
}

#[test]
fn modules_use_only_what_stands_before_them() {
    let mut uses = 0;
    for (path, code) in code() {
        let own = module(&path);
        for name in used(&code) {
            uses += 1;
            let allowed = name == own || rank(&name) < rank(own);
            assert!(allowed, "src/{path} uses `{name}`, which stands behind or beside `{own}`");
        }
    }
    assert!(uses > 100, "the test sees the code");
}

#[test]
fn a_word_that_stands_in_one_place_stands_nowhere_else() {
    for (word, only) in [
        ("unsafe {", "series/prefetch.rs"),
        ("allow(unsafe_code)", "series/prefetch.rs"),
        ("SystemTime::now", "clock.rs"),
        ("granit_parser", "config/yaml/events.rs"),
        ("Decoder::new().decompress", "codec/snappy.rs"),
        ("PrometheusBuilder", "telemetry/registry.rs"),
    ] {
        let places: Vec<String> =
            code().into_iter().filter(|(_, code)| code.contains(word)).map(|(path, _)| path).collect();
        assert_eq!(places, [only], "`{word}`");
    }
}

/// `config/reader` tells serde the number of a key among the names of a struct.
#[test]
fn what_is_read_of_yaml_has_one_name_for_each_field() {
    let of_yaml = |path: &str| path.starts_with("config/raw") || path == "cli/check/rules_file/raw.rs";
    let files: Vec<_> = code().into_iter().filter(|(path, _)| of_yaml(path)).collect();
    assert!(files.len() > 5, "the test sees the code");
    for (path, code) in files {
        for word in ["alias =", "flatten", "skip_deserializing", "serde(skip)"] {
            assert!(!code.contains(word), "src/{path}: `{word}`");
        }
    }
}

#[test]
fn the_walk_and_the_grammar_make_nothing_that_owns_memory() {
    let owning = [
        "Vec::",
        "vec![",
        "String",
        "Box<",
        "Box::",
        "format!",
        "to_vec",
        "to_owned",
        "to_string",
        "collect(",
    ];
    let borrowing = |path: &str| module(path) == "wire" || path.starts_with("series/grammar");
    for (path, code) in code().into_iter().filter(|(path, _)| borrowing(path)) {
        for word in owning {
            assert!(!code.contains(word), "src/{path}: `{word}`");
        }
    }
}

#[test]
fn only_the_parts_that_talk_to_the_network_or_the_disk_await() {
    let may = ["access", "intake", "egress", "admin", "queue", "gate", "runtime", "cli"];
    for (path, code) in code() {
        let awaits = code.contains(".await") || code.contains("async fn");
        assert!(!awaits || may.contains(&module(&path)), "src/{path} awaits");
    }
}

#[test]
fn policies_know_no_http_and_the_write_port_no_policies() {
    for (path, code) in code() {
        match module(&path) {
            "wire" | "series" | "policy" | "pipeline" => {
                assert!(!code.contains("hyper"), "src/{path}: hyper")
            }
            "intake" => assert!(!code.contains("policy::"), "src/{path}: policy"),
            _ => {}
        }
    }
}

#[test]
fn no_file_is_a_heap() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for path in files {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
    }
}

#[test]
fn a_function_fits_a_screen() {
    let mut seen = 0;
    for (path, code) in code() {
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let start = line.trim_start();
            let is_function = start.starts_with("fn ") || start.contains(" fn ") && start.starts_with("pub");
            if !is_function || line.trim_end().ends_with(';') {
                continue;
            }
            // its body in one line, or ended further down
            let end = format!("{}}}", &line[..line.len() - start.len()]);
            if line.trim_end().ends_with('}') {
                continue;
            }
            let length = lines[at..].iter().position(|line| *line == end).unwrap_or(0) + 1;
            assert!(length <= 60, "src/{path}:{}: {length} lines", at + 1);
            seen += 1;
        }
    }
    assert!(seen > 1000, "the test sees the code: {seen}");
}

#[test]
fn the_map_names_every_module() {
    let map =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for module in ORDER.iter().take(11).flat_map(|row| row.iter()) {
        assert!(map.contains(&format!("`{module}`")), "docs/architecture.md does not name `{module}`");
    }
}
