//! What may be shown of a file that is not valid YAML. Where a secret ends is not known there: a quote may be open, a value may
//! stand in any of the lines below its key. So behind the first key that may name a secret only known keys and plain
//! values are shown, until the next section begins.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::names_a_secret;

/// Digits of a number that is shown.
const MAX_DIGITS: usize = 9;

/// The words of a config file.
struct Words {
    sections: BTreeSet<String>,
    keys: BTreeSet<String>,
    /// Values that are one of a few.
    values: BTreeSet<String>,
}

static WORDS: LazyLock<Words> = LazyLock::new(Words::of_schema);

/// Whether a line begins with a key of ours, or an item of a list that does.
pub(super) fn begins_with_key(line: &[char]) -> bool {
    let first = line.iter().position(|c| !matches!(c, ' ' | '-'));
    let key = first.and_then(|first| Key::at(line, first));
    key.is_some_and(|key| key.has_colon && WORDS.keys.contains(&key.name))
}

/// For each line the first character that must not be shown; nothing behind it may be, either.
pub(super) fn hidden_from(lines: &[&str]) -> Vec<usize> {
    let words = &*WORDS;
    let (mut section, mut in_doubt, mut has_url) = (None, false, false);
    let of_line = |number: usize| {
        let line: Vec<char> = lines[number].chars().collect();
        if let Some(begun) = words.section(&line) {
            (section, in_doubt, has_url) = (Some(begun), false, false);
        }
        if in_doubt {
            return words.end_of_plain(&line);
        }
        // policies have labels and text of any kind
        let is_free = section.as_deref() == Some("policies");
        let odd = super::odd::hidden(&line).map(|behind| behind.start).filter(|_| !is_free);
        let doubt = words
            .first_doubt(&line, is_free, &mut has_url, || go_on(&lines[number + 1..]))
            .into_iter()
            .chain(odd)
            .min();
        in_doubt = doubt.is_some();
        // a quote that is open may make a text of a comment
        let comment = line.iter().position(|c| *c == '#');
        let is_behind = |at: &usize| line[..*at].iter().any(|c| !c.is_whitespace());
        let comment = comment.filter(|at| !is_free && is_behind(at));
        doubt.into_iter().chain(comment).min().unwrap_or(line.len())
    };
    (0..lines.len()).map(of_line).collect()
}

/// Whether a value goes on in these lines: the first with anything in it begins with no key and closes no bracket.
fn go_on(lines: &[&str]) -> bool {
    let next = lines.iter().find(|line| !line.trim().is_empty());
    next.is_some_and(|next| {
        let letters: Vec<char> = next.chars().collect();
        !begins_with_key(&letters) && !next.trim_start().starts_with(['}', ']', ',', '#', '{', '['])
    })
}

impl Words {
    fn of_schema() -> Self {
        let schema: Value = serde_json::from_str(crate::config::SCHEMA).unwrap_or_default();
        let sections = schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone());
        let mut words = Self {
            sections: sections.collect(),
            keys: BTreeSet::new(),
            values: ["true", "false"].map(str::to_owned).into(),
        };
        words.collect(&schema);
        words
    }

    fn collect(&mut self, schema: &Value) {
        match schema {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match (name.as_str(), field) {
                        ("properties", Value::Object(keys)) => self.keys.extend(keys.keys().cloned()),
                        ("enum", Value::Array(values)) => {
                            self.values.extend(values.iter().filter_map(Value::as_str).map(str::to_owned));
                        }
                        ("const", Value::String(value)) => {
                            self.values.insert(value.clone());
                        }
                        _ => {}
                    }
                    self.collect(field);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }

    /// The section that begins with this line.
    fn section(&self, line: &[char]) -> Option<String> {
        let key = Key::at(line, 0).filter(|key| key.has_colon)?;
        self.sections.contains(&key.name).then_some(key.name)
    }

    fn is_plain_key(&self, name: &str) -> bool {
        self.keys.contains(name) && !names_a_secret(&name.to_ascii_lowercase())
    }

    /// Where doubt begins in a line before which there is none. What stands below a URL may be the rest of it.
    fn first_doubt(
        &self,
        line: &[char],
        is_free: bool,
        has_url: &mut bool,
        goes_on: impl Fn() -> bool,
    ) -> Option<usize> {
        let first =
            line.iter().position(|c| !matches!(c, ' ' | '\t' | '-' | '?' | '{' | '[' | '}' | ']' | ','))?;
        if line[first] == '#' && (first == 0 || line[first - 1].is_whitespace()) {
            return None;
        }
        // below a key with a value of several lines may stand anything
        if !is_free && Key::at(line, first).is_none() {
            return Some(first);
        }
        let mut at = first;
        while at < line.len() {
            // what an anchor names may be used as a secret
            if line[at] == '&' {
                return Some(at);
            }
            let Some(key) = Key::at(line, at) else {
                at += 1;
                continue;
            };
            let names_a_secret = names_a_secret(&key.name.to_ascii_lowercase());
            let is_known = self.keys.contains(&key.name);
            let is_named = names_a_secret && (!is_free || key.is_followed_by_colon || at == first);
            if is_named || key.has_colon && !is_known && !is_free {
                // a word by itself may be the secret
                return Some(if is_known || key.has_colon && !*has_url { key.end } else { at });
            }
            if at == first && !is_free && !(key.has_colon && is_known) {
                return Some(at);
            }
            at = key.end;
            if key.name.eq_ignore_ascii_case("url") && !is_free {
                *has_url = true;
                at = match self.end_of_plain_url(line, at) {
                    Some(end) if end < line.len() || !goes_on() => end,
                    _ => return Some(at),
                };
            }
        }
        None
    }

    /// The end of a URL of which nothing has to be hidden, if that is all of the value that begins behind `from`.
    fn end_of_plain_url(&self, line: &[char], from: usize) -> Option<usize> {
        let start = from + line[from..].iter().take_while(|c| c.is_whitespace()).count();
        let quote = line.get(start).filter(|c| matches!(c, '"' | '\''));
        let is_end = |c: &char| c.is_whitespace() || matches!(c, ',' | '"' | '\'');
        let quotes = usize::from(quote.is_some());
        let behind = start + quotes;
        let mut end = line[behind..].iter().position(is_end).map_or(line.len(), |n| behind + n);
        if quote.is_some() {
            let closed = line.get(end).filter(|c| Some(*c) == quote);
            closed?;
            end += 1;
        }
        let is_mark = |c: &char| c.is_whitespace() || matches!(c, '}' | ']' | ',' | '{');
        let next = end + line[end..].iter().take_while(|c| is_mark(c)).count();
        let ends = line.get(next).is_none_or(|c| *c == '#')
            || next > end
                && Key::at(line, next).is_some_and(|key| key.has_colon && self.keys.contains(&key.name));
        (end > behind && ends && super::url::in_value(line, start..end).is_empty()).then_some(end)
    }

    /// Where that ends which is surely no part of a secret, in a line that may be one.
    fn end_of_plain(&self, line: &[char]) -> usize {
        let mut at = 0;
        loop {
            let is_mark = |c: &char| c.is_whitespace() || matches!(c, '-' | '{' | '[' | '}' | ']' | ',');
            let marks = line[at..].iter().take_while(|c| is_mark(c)).count();
            at += marks;
            let Some(key) = Key::at(line, at).filter(|key| key.has_colon && self.keys.contains(&key.name))
            else {
                return at;
            };
            let blanks = line[key.end..].iter().take_while(|c| c.is_whitespace()).count();
            let start = key.end + blanks;
            let is_end = |c: &char| c.is_whitespace() || matches!(c, ',' | '}' | ']');
            let end = line[start..].iter().position(is_end).map_or(line.len(), |n| start + n);
            let value: String = line[start..end].iter().collect();
            let opens = matches!(value.as_str(), "{" | "[");
            if !self.is_plain_key(&key.name) || !(opens || self.is_plain_value(&value)) {
                return key.end;
            }
            at = end;
        }
    }

    /// A number with or without units, or a word that is one of a few.
    fn is_plain_value(&self, text: &str) -> bool {
        const UNITS: [&str; 18] = [
            "", "ms", "s", "m", "h", "d", "w", "B", "KB", "MB", "GB", "KiB", "MiB", "GiB", "Ki", "Mi", "Gi",
            "%",
        ];
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(digits) =
            rest.find(|c: char| !c.is_ascii_digit()).or(Some(rest.len())).filter(|n| *n > 0)
        {
            let behind = &rest[digits..];
            let unit = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
            parts.push((digits, &behind[..unit]));
            rest = &behind[unit..];
        }
        let is_short = parts.iter().map(|(digits, _)| digits).sum::<usize>() <= MAX_DIGITS;
        self.values.contains(text)
            || text.is_empty()
            || rest.is_empty() && is_short && parts.iter().all(|(_, unit)| UNITS.contains(unit))
    }
}

/// A word that may be a key.
struct Key {
    name: String,
    /// Behind its colon, or behind the word.
    end: usize,
    /// As YAML has it: a blank follows, or it was quoted.
    has_colon: bool,
    is_followed_by_colon: bool,
}

impl Key {
    /// The word that begins here, in quotes or not.
    fn at(line: &[char], at: usize) -> Option<Self> {
        let quote = line.get(at).filter(|c| matches!(c, '"' | '\'')).copied();
        let start = at + usize::from(quote.is_some());
        let is_word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let word = line.get(start..)?.iter().take_while(|c| is_word(c)).count();
        if word == 0 {
            return None;
        }
        let behind = start + word;
        let is_closed = quote.is_some() && line.get(behind) == quote.as_ref();
        let gap = line[behind..].iter().take_while(|c| c.is_whitespace() || matches!(c, '"' | '\'')).count();
        let colon = behind + gap;
        let is_followed_by_colon = line.get(colon) == Some(&':');
        let is_key = is_closed || line.get(colon + 1).is_none_or(|c| c.is_whitespace());
        Some(Self {
            name: line[start..behind].iter().collect(),
            end: if is_followed_by_colon { colon + 1 } else { behind },
            has_colon: is_followed_by_colon && is_key && (quote.is_none() || is_closed),
            is_followed_by_colon,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let kept = |(line, from): (&&str, usize)| line.chars().take(from).collect::<String>();
        lines.iter().zip(hidden_from(&lines)).map(kept).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn behind_a_secret_only_known_keys_with_plain_values_are_shown() {
        for (text, expected) in [
            ("upstreams:\n  - password: 'a'b'", "upstreams:\n  - password:"),
            ("upstreams:\n- bearer_token:\n- abc", "upstreams:\n- bearer_token:\n- "),
            ("password: |\nabc\n  timeout: 5s, d", "password:\n\n  timeout: 5s, "),
            ("password: x\n  name: u\n  timeout: 1h30m", "password:\n  name:\n  timeout: 1h30m"),
            (
                "password: x\n  tls: { insecure_skip_verify: true, ca_file: a }",
                "password:\n  tls: { insecure_skip_verify: true, ca_file:",
            ),
            ("pw: x\n  timeout: 12345678901", "pw:\n  timeout:"),
            ("{\"password\":\"x\",\n\"timeout\":5,\"url\":\"x\"}", "{\"password\":\n\"timeout\":5,\"url\":"),
            ("bearer_token x", "bearer_token"),
            ("? password\n: x", "? password\n"),
            ("upstreams: [ { name: &a x } ]", "upstreams: [ { name: "),
            ("password:x", "password:"),
            ("x y", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn a_section_ends_the_doubt_and_all_is_shown_before_it() {
        for text in [
            "upstreams:\n  - { name: a, url: http://h/w, timeout: x y }",
            "policies:\n  - { name: token-x, match: \"{a=~\"b\"}\", without: [pod] }\n  - match: { pod: x }",
            "# password: x\nlisten:\n\taddress: h:1",
        ] {
            assert_eq!(shown(text), text);
        }
        let text = "upstreams:\n  - password: x\npolicies:\n  - match: \"{a=\"b\"}\"";
        assert_eq!(shown(text), text.replace(": x", ":"));
    }
}
