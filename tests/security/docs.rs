//! docs/security.md and docs/reliability.md name tests and keys that exist.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn sources(dir: &Path, found: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn what_is_claimed_names_tests_that_exist_and_keys_that_are_documented() {
    let claims = read("docs/security.md") + &read("docs/reliability.md");
    let cited: BTreeSet<&str> = Regex::new("`([^`\n]+)`")
        .unwrap()
        .captures_iter(&claims)
        .map(|c| c.get(1).unwrap().as_str())
        .collect();
    let mut code = String::new();
    ["src", "tests"].iter().for_each(|dir| sources(&root().join(dir), &mut code));
    let test =
        Regex::new(r"#\[(?:tokio::)?test[^\]]*\](?:\s*#\[[^\]]*\])*\s*(?:async )?fn ([a-z0-9_]+)\(").unwrap();
    let tests: BTreeSet<&str> = test.captures_iter(&code).map(|c| c.get(1).unwrap().as_str()).collect();
    let is_test = |text: &&&str| {
        text.matches('_').count() >= 3 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let named: Vec<&&str> = cited.iter().filter(is_test).collect();
    assert!(named.len() > 50, "{named:?}");
    for name in named {
        assert!(tests.contains(*name), "`{name}` is named and is no test");
    }
    let documented = read("docs/config.md");
    let key =
        Regex::new(r"^(listen|series|tenant|tracking|memory|upstreams\[\]|policies\[\])\.[a-z_]+$").unwrap();
    let keys: Vec<&&str> = cited.iter().filter(|text| key.is_match(text)).collect();
    assert!(keys.len() > 15, "{keys:?}");
    for key in keys {
        assert!(documented.contains(&format!("| `{key}` |")), "`{key}` is no key");
    }
}
