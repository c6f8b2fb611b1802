//! `config/schema.json` is what the code says, and `docs/config.md` tells every key of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use seriesgate::config::Config;

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

#[test]
fn the_schema_takes_what_the_program_takes_for_a_text_or_for_nothing() {
    let text = "\
listen:
admin:
tenant:
memory:
series: { subject_labels: }
tracking:
aggregation: { replica_labels: }
upstreams:
  - name: 1
    url: http://127.0.0.1:9/api/v1/write
    basic_auth: { username: 12, password: 345 }
    headers: { X-Team: 7 }
policies:
  - name: true
    action: relabel
    relabel_configs:
      - { source_labels: [a], separator: 0, regex: true, target_label: true, replacement: 200 }
";
    let loaded = Config::parse(text, "gate.yaml", Path::new("/"), &|_| None);
    assert!(loaded.is_ok(), "{}", loaded.err().unwrap());
    let config: Value = serde_saphyr::from_str(text).unwrap();
    let schema: Value = serde_json::from_str(&seriesgate::config::schema()).unwrap();
    assert_taken("", &config, &schema);
}

/// Asks for the type of every value.
fn assert_taken(path: &str, value: &Value, schema: &Value) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = &schema["type"];
    let is_taken = types == kind || types.as_array().is_some_and(|types| types.contains(&kind.into()));
    assert!(is_taken, "{path} is of type {kind}, and the schema takes {types}");
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        assert_taken(&format!("{path}[{index}]"), item, &schema["items"]);
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let known = &schema["properties"][key];
        let known = if known.is_object() { known } else { &schema["additionalProperties"] };
        assert_taken(&format!("{path}.{key}"), inner, known);
    }
}
