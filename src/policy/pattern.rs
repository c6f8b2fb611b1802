//! Patterns of `=~` and `!~`: anchored, `.` takes a line break, Perl classes are ASCII as in Go.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// What one compiled pattern may take. Far above what people write, far below what would hurt.
const SIZE_LIMIT: usize = 2 << 20;
/// Above this a pattern is not taken for a list of literals.
const MAX_LITERALS: usize = 256;

/// Compiles a pattern that has to match the whole value.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&anchored(pattern).map_err(|e| e.message)?)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(reason)
}

/// The pattern in the dialect of the `regex` crate, to match the whole value.
pub(super) fn anchored(pattern: &str) -> Result<String, PatternError> {
    let ascii = ascii(pattern);
    // Alone first: `a)(b` would be closed and opened by our own group.
    regex_syntax::parse(&ascii).map_err(|e| PatternError { message: reason(e), offset: 0 })?;
    Ok(format!("^(?s:{ascii})$"))
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// What is wrong, for a person.
    pub message: String,
    /// Where, in bytes from the start of the pattern.
    pub offset: usize,
}

/// A pattern that has to match the whole value.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: regex_automata::meta::Regex,
    names: Box<[Option<Box<str>>]>,
}

impl Pattern {
    /// Compiles a pattern.
    pub fn compile(pattern: &str) -> Result<Pattern, PatternError> {
        let refused = |message: String| PatternError { message, offset: 0 };
        let text = anchored(pattern)?;
        let regex = regex_automata::meta::Regex::new(&text).map_err(|e| refused(reason(e)))?;
        let names = regex.group_info().pattern_names(regex_automata::PatternID::ZERO);
        let names = names.map(|name| name.map(Into::into)).collect();
        Ok(Self { regex, names })
    }

    /// Whether the whole value matches.
    pub fn is_match(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// Room for the groups of one match.
    pub fn new_captures(&self) -> regex_automata::util::captures::Captures {
        self.regex.create_captures()
    }

    /// Finds the groups; whether the value matches.
    pub fn captures(&self, value: &str, into: &mut regex_automata::util::captures::Captures) -> bool {
        self.regex.captures(value, into);
        into.is_match()
    }

    /// Group names by group number.
    pub fn names(&self) -> &[Option<Box<str>>] {
        &self.names
    }

    /// Memory of the compiled form.
    pub fn bytes(&self) -> usize {
        self.regex.memory_usage()
    }
}

/// What can be said of the values that a pattern matches, without matching.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// These and no others.
    Literals(Vec<String>),
    /// They start so; not empty.
    Prefix(Vec<u8>),
    /// Nothing.
    Any,
}

/// Looks at a pattern that compiles.
pub(super) fn shape(pattern: &str) -> Shape {
    let Ok(hir) = regex_syntax::parse(&format!("(?s:{})", ascii(pattern))) else { return Shape::Any };
    // Our own anchors stand outside; those that people write are taken off.
    let parts = match hir.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(&hir),
    };
    let is = |part: &Hir, look| matches!(part.kind(), HirKind::Look(found) if *found == look);
    let parts = match parts {
        [first, rest @ ..] if is(first, Look::Start) => rest,
        all => all,
    };
    let inner = match parts {
        [inner @ .., last] if is(last, Look::End) => inner,
        all => all,
    };
    if let Some(literals) = concat(inner)
        && let Ok(mut literals) = literals.into_iter().map(String::from_utf8).collect::<Result<Vec<_>, _>>()
    {
        literals.sort_unstable();
        literals.dedup();
        return Shape::Literals(literals);
    }
    let mut prefix = Vec::new();
    let _ = inner.iter().all(|part| lead(part, &mut prefix));
    if prefix.is_empty() { Shape::Any } else { Shape::Prefix(prefix) }
}

/// All that matches, where it is a short list.
fn literals(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![Vec::new()]),
        HirKind::Literal(literal) => Some(vec![literal.0.to_vec()]),
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize = class.iter().map(|range| range.len()).sum();
            let chars = class.iter().flat_map(|range| range.start()..=range.end());
            (count <= MAX_LITERALS).then(|| chars.map(|c| c.to_string().into_bytes()).collect())
        }
        HirKind::Capture(capture) => literals(&capture.sub),
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(literals(part)?);
                if all.len() > MAX_LITERALS {
                    return None;
                }
            }
            Some(all)
        }
        _ => None,
    }
}

fn concat(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    parts.iter().try_fold(vec![Vec::new()], |heads: Vec<Vec<u8>>, part| {
        let tails = literals(part)?;
        (heads.len() * tails.len() <= MAX_LITERALS).then(|| {
            heads.iter().flat_map(|head| tails.iter().map(move |t| [&head[..], t].concat())).collect()
        })
    })
}

/// Adds what every match starts with; true if that is the whole match, so that what follows may be added.
fn lead(hir: &Hir, prefix: &mut Vec<u8>) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Literal(literal) => {
            prefix.extend_from_slice(&literal.0);
            true
        }
        HirKind::Capture(capture) => lead(&capture.sub, prefix),
        HirKind::Concat(parts) => parts.iter().all(|part| lead(part, prefix)),
        _ => false,
    }
}

/// Perl classes and word boundaries, in brackets or not, in their ASCII forms.
fn ascii(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match escaped {
            None => out.push(c),
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str(r"[\t\n\f\r ]"),
            Some('S') => out.push_str(r"[^\t\n\f\r ]"),
            Some('b') => out.push_str(r"(?-u:\b)"),
            Some('B') => out.push_str(r"(?-u:\B)"),
            Some(other) => out.extend(['\\', other]),
        }
    }
    out
}

/// The last line of a message that also draws the pattern.
fn reason(error: impl ToString) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_values_and_perl_classes_are_ascii() {
        for (pattern, value, expected) in [
            ("a|b", "ab", false),
            ("a|b", "b", true),
            ("a.c", "a\nc", true),
            ("a", "a\n", false),
            (r"\d+", "12", true),
            (r"\d", "٣", false),
            (r"[\w.]+", "a_1.b", true),
            (r"[^\w]", "é", true),
            (r"[\W\d]", "5", true),
            (r"\S+", "é", true),
            (r"\s", "\u{a0}", false),
            (r"a\b-\Bé", "a-é", true),
            (r"\\d", r"\d", true),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(value), expected, "{pattern} on {value}");
        }
        assert_eq!(compile("a)(b").unwrap_err(), "unopened group");
        assert!(compile("(a{900}){900}").unwrap_err().contains("size limit"));
    }

    #[test]
    fn shapes() {
        let of = |all: &[&str]| Shape::Literals(all.iter().map(|s| (*s).to_owned()).collect());
        let prefix = |p: &str| Shape::Prefix(p.into());
        for (pattern, expected) in [
            ("up", of(&["up"])),
            ("^up$", of(&["up"])),
            ("foo|bar|", of(&["", "bar", "foo"])),
            ("(foo|fob)_x", of(&["fob_x", "foo_x"])),
            ("[ab]", of(&["a", "b"])),
            ("node_.+", prefix("node_")),
            ("^node_.+", prefix("node_")),
            ("node_(cpu|mem).*", prefix("node_")),
            ("(?i)node", Shape::Any),
            (".*", Shape::Any),
            ("a|b.*", Shape::Any),
            (r"\bup", Shape::Any),
        ] {
            let found = shape(pattern);
            let exact = pattern == "(?i)node" && matches!(found, Shape::Literals(_));
            assert!(found == expected || exact, "{pattern}: {found:?}");
        }
    }
}
