//! Templates (`$1`, `${name}`) in `replacement` and `target_label`, as Go's `Regexp.Expand` reads them.

use std::sync::LazyLock;

use regex::Regex;

/// What can stand in a reference. Go asks for letters (L) and decimal digits (Nd) of Unicode, and `_`.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[\p{L}\p{Nd}_]+").expect("the pattern is fixed"));
/// Longer numbers are names to Go.
const MAX_DIGITS: usize = 9;

/// A template taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A group by number.
    Group(usize),
    /// Groups of one name; the first that took part in the match counts.
    Named(Vec<usize>),
}

impl Template {
    /// Reads a template for a regex with these group names, by group number.
    pub(super) fn parse(mut rest: &str, names: &[Option<Box<str>>]) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                text.push('$');
                rest = after;
            } else if let Some((name, after)) = reference(rest) {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::of(name, names));
                rest = after;
            } else {
                text.push('$');
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Self { parts }
    }

    /// The text with groups filled in.
    pub(super) fn expand<'v>(&self, group: impl Fn(usize) -> Option<&'v str>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(number) => out.push_str(group(*number).unwrap_or_default()),
                Part::Named(numbers) => {
                    out.push_str(numbers.iter().find_map(|number| group(*number)).unwrap_or_default());
                }
            }
        }
        out
    }
}

impl Part {
    fn of(name: &str, names: &[Option<Box<str>>]) -> Part {
        let number = name.bytes().all(|b| b.is_ascii_digit())
            && name.len() <= MAX_DIGITS
            && (name.len() == 1 || !name.starts_with('0'));
        match name.parse() {
            Ok(number_of_group) if number => Part::Group(number_of_group),
            _ => {
                let same = names.iter().enumerate().filter(|(_, known)| known.as_deref() == Some(name));
                Part::Named(same.map(|(number, _)| number).collect())
            }
        }
    }
}

/// The name behind a `$`, and what follows it; `None` where the `$` is just a `$`.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (inner, braced) = text.strip_prefix('{').map_or((text, false), |inner| (inner, true));
    let name = NAME.find(inner)?.as_str();
    let rest = &inner[name.len()..];
    Some((name, if braced { rest.strip_prefix('}')? } else { rest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_end_where_go_ends_them() {
        let names = [None, None, Some("n".into()), Some("n".into()), Some("1a".into())];
        let groups = [Some("all"), Some("one"), None, Some("named"), Some("digit-first")];
        for (template, expected) in [
            ("$1", "one"),
            ("a${1}b", "aoneb"),
            ("$1x", ""),
            ("${1}x", "onex"),
            ("$01|${01}", "|"),
            ("$0", "all"),
            ("$n", "named"),
            ("${n}$$", "named$"),
            ("$1a", "digit-first"),
            ("$é", ""),
            ("$-$", "$-$"),
            ("${}", "${}"),
            ("${1", "${1"),
            ("${1-2}", "${1-2}"),
            ("${n }", "${n }"),
            ("$2$9$999999999", ""),
            ("$$1", "$1"),
            ("$$$1", "$one"),
            ("a$", "a$"),
            ("", ""),
        ] {
            let parsed = Template::parse(template, &names);
            assert_eq!(parsed.expand(|i| groups.get(i).copied().flatten()), expected, "{template}");
        }
    }
}
