//! Relabeling once more, slow and obvious, for property tests: what `src/` does with care for speed is done here as
//! the semantics read, with nothing prepared but two constants. Patterns are in the syntax of the `regex` crate.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use md5::{Digest as _, Md5};
use regex::{Captures, Regex};

/// Lower and upper case of every code point where one differs from itself, as Go has them: one code point becomes
/// one, whatever its neighbours are.
static CASES: LazyLock<BTreeMap<char, [char; 2]>> = LazyLock::new(|| {
    let code_point = |hex: &str| {
        let number = u32::from_str_radix(hex, 16).expect("hexadecimal");
        char::from_u32(number).expect("a code point")
    };
    include_str!("../data/go_case.tsv")
        .lines()
        .map(|line| line.split('\t').map(code_point).collect::<Vec<_>>())
        .map(|columns| (columns[0], [columns[1], columns[2]]))
        .collect()
});

/// A reference at the start of what is left of a template.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\$(?:\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))").expect("a pattern of the regex crate")
});

/// A rule with all its defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct ModelRule {
    pub(crate) source_labels: Vec<String>,
    pub(crate) separator: String,
    pub(crate) regex: String,
    pub(crate) modulus: u64,
    pub(crate) target_label: String,
    pub(crate) replacement: String,
    pub(crate) action: &'static str,
}

/// What the rules make of a series: its labels, sorted, or `None` if it is dropped.
pub(crate) fn process(rules: &[ModelRule], labels: &[(String, String)]) -> Option<Vec<(String, String)>> {
    let mut series = Series { original: labels.to_vec(), set: Vec::new() };
    series.original.retain(|(_, value)| !value.is_empty());
    series.original.sort();
    for rule in rules {
        if !apply(rule, &mut series) {
            return None;
        }
    }
    let mut labels = series.all();
    labels.sort();
    Some(labels)
}

/// The labels of a series between two rules. Their order shows when `labelmap` copies two of them to one name.
struct Series {
    /// As they came in, sorted; those overwritten or deleted are gone.
    original: Vec<(String, String)>,
    /// Those that rules have set, in the order of their first setting.
    set: Vec<(String, String)>,
}

impl Series {
    fn all(&self) -> Vec<(String, String)> {
        [self.original.clone(), self.set.clone()].concat()
    }

    /// A missing label is an empty one.
    fn get(&self, name: &str) -> String {
        self.all().into_iter().find(|label| label.0 == name).map(|label| label.1).unwrap_or_default()
    }

    fn delete(&mut self, name: &str) {
        self.original.retain(|label| label.0 != name);
        self.set.retain(|label| label.0 != name);
    }

    fn set(&mut self, name: &str, value: String) {
        if value.is_empty() {
            self.delete(name);
        } else if let Some(label) = self.set.iter_mut().find(|label| label.0 == name) {
            label.1 = value;
        } else {
            self.delete(name);
            self.set.push((name.to_owned(), value));
        }
    }
}

/// False if the rule drops the series.
fn apply(rule: &ModelRule, series: &mut Series) -> bool {
    let regex = Regex::new(&format!("^(?s:{})$", rule.regex)).expect("a pattern of the regex crate");
    let values: Vec<String> = rule.source_labels.iter().map(|name| series.get(name)).collect();
    let value = values.join(&rule.separator);
    match rule.action {
        "keep" => return regex.is_match(&value),
        "drop" => return !regex.is_match(&value),
        "keepequal" => return series.get(&rule.target_label) == value,
        "dropequal" => return series.get(&rule.target_label) != value,
        "replace" => {
            if let Some(captures) = regex.captures(&value) {
                let target = expand(&rule.target_label, &regex, &captures);
                if !target.is_empty() {
                    series.set(&target, expand(&rule.replacement, &regex, &captures));
                }
            }
        }
        "lowercase" => series.set(
            &rule.target_label,
            value.chars().map(|c| CASES.get(&c).map_or(c, |case| case[0])).collect(),
        ),
        "uppercase" => series.set(
            &rule.target_label,
            value.chars().map(|c| CASES.get(&c).map_or(c, |case| case[1])).collect(),
        ),
        "hashmod" => {
            let hash = Md5::digest(value.as_bytes());
            let last_half = hash[8..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            series.set(&rule.target_label, (last_half % rule.modulus).to_string());
        }
        "labelmap" => {
            for (name, value) in series.all() {
                if regex.is_match(&name) {
                    series.set(&replace_all(&name, &regex, &rule.replacement), value);
                }
            }
        }
        "labeldrop" => {
            for (name, _) in series.all() {
                if regex.is_match(&name) {
                    series.delete(&name);
                }
            }
        }
        "labelkeep" => {
            for (name, _) in series.all() {
                if !regex.is_match(&name) {
                    series.delete(&name);
                }
            }
        }
        other => panic!("no action {other}"),
    }
    true
}

/// A pattern may close the group around it (`a)|(b`): then it is not anchored and can match more than once.
fn replace_all(text: &str, regex: &Regex, template: &str) -> String {
    let mut out = String::new();
    let mut copied = 0;
    for captures in regex.captures_iter(text) {
        let matched = captures.get_match();
        out += &text[copied..matched.start()];
        out += &expand(template, regex, &captures);
        copied = matched.end();
    }
    out + &text[copied..]
}

/// `$name` and `${name}` stand for groups, `$$` for a dollar; a dollar before anything else stands for itself.
fn expand(template: &str, regex: &Regex, captures: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some(found) = REFERENCE.captures(rest) {
            let name = found.get(1).or(found.get(2)).expect("one of the two").as_str();
            out += &group(name, regex, captures);
            rest = &rest[found[0].len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// A group that is not there or took no part in the match is empty. `01` is a name, not a number.
fn group(name: &str, regex: &Regex, captures: &Captures<'_>) -> String {
    let is_number = name.chars().all(|c| c.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    let found = match name.parse::<usize>() {
        Ok(number) if is_number => captures.get(number),
        _ if regex.capture_names().any(|known| known == Some(name)) => captures.name(name),
        _ => None,
    };
    found.map(|found| found.as_str().to_owned()).unwrap_or_default()
}
