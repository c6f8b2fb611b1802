//! What a pattern says of the values it matches, so that most of them need not be tried.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Literal};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::limits::NEST_LIMIT;
use super::translate::translate;

/// Above this a pattern is not taken for a list of literals.
const MAX_LITERALS: usize = 256;

/// What can be said of the values that a pattern matches, without matching.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// These and no others.
    Literals(Vec<String>),
    /// They start so; not empty.
    Prefix(Vec<u8>),
    /// Nothing.
    Any,
}

/// Looks at a pattern that compiles.
pub(crate) fn shape(pattern: &str) -> Shape {
    let Some(inner) = parts(pattern) else { return Shape::Any };
    let inner = inner.as_slice();
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

/// Texts of which every match of a pattern that compiles ends with one, where that shows.
pub(crate) fn endings(pattern: &str) -> Option<Vec<String>> {
    let whole = Hir::concat(parts(pattern)?);
    let found = Extractor::new().kind(ExtractKind::Suffix).extract(&whole);
    let text = |literal: &Literal| String::from_utf8(literal.as_bytes().to_vec()).ok();
    found.literals()?.iter().map(text).collect()
}

/// What a pattern is made of. Our own anchors stand outside; those that people write are taken off.
pub(super) fn parts(pattern: &str) -> Option<Vec<Hir>> {
    let translated = translate(pattern).ok()?;
    let parsed = ParserBuilder::new().nest_limit(NEST_LIMIT).build().parse(&translated.text).ok()?;
    let mut parts = match parsed.kind() {
        HirKind::Concat(parts) => parts.clone(),
        _ => vec![parsed],
    };
    let is = |part: &Hir, look| matches!(part.kind(), HirKind::Look(found) if *found == look);
    parts.pop_if(|last| is(last, Look::End));
    if parts.first().is_some_and(|first| is(first, Look::Start)) {
        parts.remove(0);
    }
    Some(parts)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let of = |all: &[&str]| Shape::Literals(all.iter().map(|s| (*s).to_owned()).collect());
        let prefix = |p: &str| Shape::Prefix(p.into());
        for (pattern, expected) in [
            ("up", of(&["up"])),
            ("^up$", of(&["up"])),
            (r"\Aup\z", of(&["up"])),
            (r"\Qa.b\E", of(&["a.b"])),
            ("foo|bar|", of(&["", "bar", "foo"])),
            ("(foo|fob)_x", of(&["fob_x", "foo_x"])),
            ("(?P<1>a)", of(&["a"])),
            ("[ab]", of(&["a", "b"])),
            ("(?i)ab", of(&["AB", "Ab", "aB", "ab"])),
            (r"\x{D800}", Shape::Any),
            ("node_.+", prefix("node_")),
            ("^node_.+", prefix("node_")),
            ("node_(cpu|mem).*", prefix("node_")),
            (r"a\d*", prefix("a")),
            (r"\pL", Shape::Any),
            (".*", Shape::Any),
            ("a|b.*", Shape::Any),
            (r"\bup", Shape::Any),
            ("(?m)^up", Shape::Any),
            ("a(", Shape::Any),
        ] {
            assert_eq!(shape(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn every_match_ends_with_one_of_these() {
        for (pattern, expected) in [
            (".+_total", Some(&["_total"][..])),
            ("http_.+_(bucket|count)$", Some(&["_bucket", "_count"])),
            ("a|b", Some(&["a", "b"])),
            (".+_total|.+_sum", Some(&["_sum", "_total"])),
            (".+", None),
            ("a(", None),
        ] {
            let mut found = endings(pattern);
            found.iter_mut().for_each(|found| found.sort());
            assert_eq!(found, expected.map(|all| all.iter().map(|s| (*s).to_owned()).collect()), "{pattern}");
        }
        // what may end in any way has no ending that says something
        let ends = endings("_total.*");
        assert!(ends.is_none_or(|ends| ends.iter().any(|ending| !ending.ends_with("_total"))));
    }
}
