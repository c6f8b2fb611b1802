//! Queries in the text templates of alerts: `{{ query "…" }}` and `{{ … | query }}`.

use super::promql::unquote;

/// The expressions that a text asks for. What is put together as the template runs is not known here.
pub(super) fn queries(text: &str) -> Vec<String> {
    let mut queries = Vec::new();
    let mut rest = text;
    while let Some((_, opened)) = rest.split_once("{{") {
        if let Some(behind) = comment(opened) {
            rest = behind;
            continue;
        }
        let (found, behind) = action(opened);
        queries.extend(found);
        rest = behind;
    }
    queries
}

/// What follows a `{{/* … */}}`; Go allows a comment nothing beside it but what trims blanks. One that is not closed
/// leaves nothing.
fn comment(opened: &str) -> Option<&str> {
    let trimmed = opened.strip_prefix('-').map_or(opened, str::trim_start);
    let text = trimmed.strip_prefix("/*")?;
    Some(text.split_once("*/").map_or("", |(_, behind)| behind))
}

/// One `{{ … }}`: its queries, and what follows it.
fn action(text: &str) -> (Vec<String>, &str) {
    let mut queries = Vec::new();
    let (mut rest, mut word, mut last) = (text, String::new(), None::<String>);
    while let Some(c) = rest.chars().next() {
        if let Some((text, behind)) = unquote(rest) {
            if word == "query" {
                queries.push(text);
            } else {
                last = (word != "printf").then_some(text);
            }
            (rest, word) = (behind, String::new());
            continue;
        }
        if rest.starts_with("}}") {
            break;
        }
        if c.is_alphanumeric() || matches!(c, '_' | '.' | '$') {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$')))
                .unwrap_or(rest.len());
            word = rest[..end].to_owned();
            rest = &rest[end..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c == '|' && rest.trim_start().starts_with("query") {
            queries.extend(last.take());
        }
    }
    (queries, rest.strip_prefix("}}").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_found_where_templates_have_them() {
        for (text, expected) in [
            ("no template, query \"up\"", &[][..]),
            ("{{ $value }} of {{ $labels.job }}", &[]),
            (r#"{{ query "sum(up)" | first | value }}"#, &["sum(up)"]),
            (r#"{{with query "up{job='a'}"}}{{. | first | value}}{{end}}"#, &["up{job='a'}"]),
            ("{{ range query `up{a=\"}}\"}` }}x{{ end }} {{ query \"b\" }}", &["up{a=\"}}\"}", "b"]),
            (r#"{{ (query "a") }} {{ "b" | query | first }}"#, &["a", "b"]),
            // what becomes of `%s` only the run says
            (r#"{{ with printf "up{job='%s'}" .Labels.job | query }}{{ end }}"#, &[]),
            (r#"{{ printf "%.2f" $value }} {{ "text" | title }}"#, &[]),
            (r#"{{ query "a\"" }}"#, &["a\""]),
            (r#"{{ query "open }}"#, &[]),
            (r#"{{/* query "up" */}}"#, &[]),
            (r#"{{- /* don't, "as" {{ query "up" }} was */ -}} {{ query "b" }}"#, &["b"]),
            (r#"{{/* open {{ query "up" }}"#, &[]),
            ("{{", &[]),
        ] {
            assert_eq!(queries(text), expected, "{text}");
        }
    }
}
