//! YAML in the docs is good: a config, or a part of one, is taken as it stands.

use std::path::Path;

use seriesgate::config::Config;

use super::blocks::{self, Block};

/// What a part of a config is put behind.
const UPSTREAM: &str = "upstreams: [ { name: a, url: 'http://h/api/v1/write' } ]\n";
/// What is YAML of somebody else, by its first key: an agent's, rules, Kubernetes', a scenario of the harness.
const OTHERS: [&str; 4] = ["remote_write:", "groups:", "apiVersion:", "name: mine"];

/// The config that a block is, or is a part of; `None` where it is of somebody else.
fn config(block: &Block) -> Option<String> {
    let first = block.lines.iter().find(|line| !line.starts_with('#') && !line.is_empty())?;
    let is_of_the_chart = block.path().is_some_and(|path| path.ends_with("values.yaml"));
    if is_of_the_chart || OTHERS.iter().any(|other| first.starts_with(other)) {
        return None;
    }
    let text = block.text();
    Some(match text.lines().any(|line| line.starts_with("upstreams:")) {
        true => text,
        false if first.starts_with("- ") => format!("{UPSTREAM}policies:\n{text}"),
        false => UPSTREAM.to_owned() + &text,
    })
}

#[test]
fn a_config_in_the_docs_is_taken() {
    let mut taken = 0;
    for name in blocks::documents() {
        for block in blocks::of(&blocks::read(&name)).into_iter().filter(|block| block.kind == "yaml") {
            let Some(text) = config(&block) else { continue };
            let place = format!("{name}:{}", block.line);
            // secrets are not there
            let loaded = Config::parse(&text, &place, Path::new("/"), &|name| Some(name.to_owned()));
            assert!(
                loaded.is_ok(),
                "{}\n{text}",
                loaded.err().map(|why| why.to_string()).unwrap_or_default()
            );
            taken += 1;
        }
    }
    assert!(taken >= 9, "{taken} configs");
}
