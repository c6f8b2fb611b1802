//! `config/schema.json` is what the code says, and `docs/config.md` tells every key of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

fn repo(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_committed_schema_is_fresh() {
    let path = repo("config/schema.json");
    let fresh = seriesgate::config::schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "config/schema.json is stale; run UPDATE_SCHEMA=1 cargo test --test config_schema"
    );
}

#[test]
fn the_docs_list_every_key_with_its_default() {
    let schema: Value = serde_json::from_str(&seriesgate::config::schema()).unwrap();
    let mut in_schema = BTreeMap::new();
    keys("", &schema, &mut in_schema);
    let docs = fs::read_to_string(repo("docs/config.md")).unwrap();
    let in_docs: BTreeMap<String, String> = docs.lines().filter_map(table_row).collect();
    for (key, default) in &in_schema {
        let told = in_docs.get(key).unwrap_or_else(|| panic!("docs/config.md lacks `{key}`"));
        if let Some(default) = default {
            assert_eq!(told.trim_matches('`'), default, "the default of `{key}` in docs/config.md");
        }
    }
    for key in in_docs.keys() {
        assert!(in_schema.contains_key(key), "docs/config.md has `{key}`, the schema has not");
    }
}

/// All leaf keys below `schema` with their defaults, as `listen.address`, `upstreams[].url`.
fn keys(prefix: &str, schema: &Value, found: &mut BTreeMap<String, Option<String>>) {
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    let inner: Vec<&Value> = std::iter::once(schema).chain(alternatives).collect();
    for (name, property) in inner.iter().filter_map(|s| s["properties"].as_object()).flatten() {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let items = &property["items"];
        let (below, key_below) =
            if items.is_object() { (items, format!("{key}[]")) } else { (property, key.clone()) };
        let before = found.len();
        keys(&key_below, below, found);
        if found.len() == before {
            let default = property.get("default").map(|d| d.as_str().map_or(d.to_string(), str::to_owned));
            found.insert(key, default);
        }
    }
}

/// A row such as ``| `listen.address` | address | `0.0.0.0:9201` | … |``: key and default.
fn table_row(line: &str) -> Option<(String, String)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let key = cells.next()?.strip_suffix('`')?;
    Some((key.to_owned(), cells.nth(1)?.trim().to_owned()))
}
