//! What the text templates of alerts read: `{{ query "…" }}` and `{{ … | query }}`, and labels of the alert.

mod filled;

use std::collections::BTreeSet;

use super::promql::unquote;

/// What a text asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) queries: Vec<Asks>,
    /// Labels of the alert: `$labels.pod`, `.Labels.pod`, `index $labels "pod"`.
    pub(super) labels: BTreeSet<String>,
}

/// An expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asks {
    pub(super) query: String,
    /// Whether the text has it as it will be asked; of one put together by `printf` some values are not known.
    pub(super) is_whole: bool,
}

/// What a text asks for. What is put together otherwise than by `printf` is not known here.
pub(super) fn asked(text: &str) -> Asked {
    let mut asked = Asked::default();
    // for each open block, whether `.` stands for something else in it
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, opened)) = rest.split_once("{{") {
        if let Some(behind) = comment(opened) {
            rest = behind;
            continue;
        }
        let mut action = Action::new(!blocks.contains(&true), &mut asked);
        rest = action.read(opened);
        match action.keyword.as_deref() {
            Some("range" | "with" | "define" | "block") => blocks.push(true),
            Some("if") => blocks.push(false),
            Some("end") => {
                blocks.pop();
            }
            _ => {}
        }
    }
    asked
}

/// What follows a `{{/* … */}}`; Go allows a comment nothing beside it but what trims blanks. One that is not closed
/// leaves nothing.
fn comment(opened: &str) -> Option<&str> {
    let trimmed = opened.strip_prefix('-').map_or(opened, str::trim_start);
    let text = trimmed.strip_prefix("/*")?;
    Some(text.split_once("*/").map_or("", |(_, behind)| behind))
}

/// One `{{ … }}`.
struct Action<'a> {
    asked: &'a mut Asked,
    dot_is_alert: bool,
    /// Its first word.
    keyword: Option<String>,
    /// The word that stands before what is read, and the one before that.
    word: String,
    before: String,
    /// `query` came, and no text yet.
    asks: bool,
    /// Further texts are what `printf` puts in.
    prints: bool,
    /// The text that goes into the next `|`.
    last: Option<Asks>,
}

impl<'a> Action<'a> {
    fn new(dot_is_alert: bool, asked: &'a mut Asked) -> Self {
        let (keyword, word, before, last) = (None, String::new(), String::new(), None);
        Self { asked, dot_is_alert, keyword, word, before, asks: false, prints: false, last }
    }

    /// Reads to its end; returns what follows.
    fn read<'t>(&mut self, text: &'t str) -> &'t str {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((text, behind)) = unquote(rest) {
                self.text(text);
                rest = behind;
                continue;
            }
            if let Some(behind) = rest.strip_prefix("}}") {
                return behind;
            }
            let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
            if is_word(c) {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                self.word(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            rest = &rest[c.len_utf8()..];
            if c == '|' {
                self.pipe(rest);
            }
        }
        rest
    }

    fn text(&mut self, text: String) {
        if self.before == "index" && self.is_labels(&self.word) {
            self.asked.labels.insert(text);
        } else if !self.prints {
            self.prints = self.word == "printf";
            let asks = if self.prints {
                filled::filled(&text).map(|query| Asks { query, is_whole: false })
            } else {
                Some(Asks { query: text, is_whole: true })
            };
            if std::mem::take(&mut self.asks) {
                self.asked.queries.extend(asks);
            } else {
                self.last = asks;
            }
        }
        self.before = std::mem::take(&mut self.word);
    }

    fn word(&mut self, word: &str) {
        self.keyword.get_or_insert_with(|| word.to_owned());
        let label = word.rsplit_once('.').filter(|(labels, _)| self.is_labels(labels));
        self.asked.labels.extend(label.map(|(_, label)| label.to_owned()).filter(|label| !label.is_empty()));
        self.asks |= word == "query";
        self.before = std::mem::replace(&mut self.word, word.to_owned());
    }

    fn pipe(&mut self, behind: &str) {
        if behind.trim_start().starts_with("query") {
            self.asked.queries.extend(self.last.take());
        }
        (self.asks, self.prints) = (false, false);
        self.word.clear();
    }

    /// Whether a word stands for the labels of the alert.
    fn is_labels(&self, word: &str) -> bool {
        matches!(word, "$labels" | "$.Labels") || word == ".Labels" && self.dot_is_alert
    }
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
            (r#"{{ with printf "up{job='%s'}" .Labels.job | query }}{{ end }}"#, &["up{job=~\".+\"}"]),
            (r#"{{ query (printf "max(x{a=%q}) > %.2f" "b" 5) | first }}"#, &["max(x{a=~\".+\"}) > 1"]),
            (r#"{{ printf "%.2f" $value }} {{ "text" | title }}"#, &[]),
            (r#"{{ query "a\"" }}"#, &["a\""]),
            (r#"{{ query "open }}"#, &[]),
            (r#"{{/* query "up" */}}"#, &[]),
            (r#"{{- /* don't, "as" {{ query "up" }} was */ -}} {{ query "b" }}"#, &["b"]),
            (r#"{{/* open {{ query "up" }}"#, &[]),
            ("{{", &[]),
        ] {
            let asked = asked(text);
            let queries: Vec<&str> = asked.queries.iter().map(|asks| asks.query.as_str()).collect();
            assert_eq!(queries, expected, "{text}");
            assert!(asked.queries.iter().all(|asks| asks.is_whole != text.contains("printf")));
        }
    }

    #[test]
    fn labels_are_those_of_the_alert() {
        for (text, expected) in [
            ("{{ $labels.pod }} {{ .Labels.instance }} {{ $.Labels.job }}", &["instance", "job", "pod"][..]),
            (r#"{{ index $labels "pod" }}{{ index .Labels "k8s.pod.name" }}"#, &["k8s.pod.name", "pod"]),
            (
                "{{ with $labels.pod }}{{ . }}{{ end }}{{ if .Labels.a }}{{ .Labels.b }}{{ end }}",
                &["a", "b", "pod"],
            ),
            // those of what the query found
            (
                r#"{{ range query "up" }}{{ .Labels.pod }}{{ $labels.a }}{{ end }}{{ .Labels.b }}"#,
                &["a", "b"],
            ),
            (r#"{{ printf "%s on %s" $labels.pod (index $labels "node") }}"#, &["node", "pod"]),
            ("{{ $labels }} $labels.pod {{ \"$labels.pod\" }} {{/* $labels.pod */}}", &[]),
        ] {
            assert_eq!(asked(text).labels.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
