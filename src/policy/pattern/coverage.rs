//! Patterns that match every value, in whatever words (`.*`, `|.+`, `(?i).*`, `[\s\S]*`).

use regex_syntax::hir::{Class, Hir, HirKind};

use super::shape::parts;

/// Which values a pattern matches for sure, whatever they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// The empty one.
    pub(crate) empty: bool,
    /// Every other.
    pub(crate) others: bool,
}

/// Of a pattern that compiles.
pub(crate) fn coverage(pattern: &str) -> Coverage {
    parts(pattern).map_or_else(Coverage::default, |parts| concat(&parts))
}

fn of(hir: &Hir) -> Coverage {
    match hir.kind() {
        HirKind::Empty => Coverage { empty: true, others: false },
        HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => Coverage::default(),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Repetition(repeated) => {
            let sub = of(&repeated.sub);
            let whole = sub.others && repeated.max != Some(0) && (repeated.min <= 1 || sub.empty);
            let chars = takes_any_char(&repeated.sub) && repeated.min <= 1 && repeated.max.is_none();
            Coverage { empty: repeated.min == 0 || sub.empty, others: whole || chars }
        }
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(parts) => {
            let parts: Vec<Coverage> = parts.iter().map(of).collect();
            Coverage {
                empty: parts.iter().any(|part| part.empty),
                others: parts.iter().any(|part| part.others),
            }
        }
    }
}

/// One part takes the value, the others nothing.
fn concat(parts: &[Hir]) -> Coverage {
    let parts: Vec<Coverage> = parts.iter().map(of).collect();
    let takes_all = |at: usize| parts[at].others && parts.iter().enumerate().all(|(n, p)| n == at || p.empty);
    Coverage { empty: parts.iter().all(|part| part.empty), others: (0..parts.len()).any(takes_all) }
}

/// Whether it matches each single character.
fn takes_any_char(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            matches!(class.ranges(), [range] if (range.start(), range.end()) == ('\0', char::MAX))
        }
        HirKind::Capture(capture) => takes_any_char(&capture.sub),
        HirKind::Alternation(parts) => parts.iter().any(takes_any_char),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_everything_is_seen_in_any_form() {
        for pattern in [
            ".*", "|.+", ".+|", "(.*)", "(.+)?", "(?i).*", "^.*$", r"[\s\S]*", "(?:.|x)*", "a|.*", ".*.*",
            "a?.*", "(.*){3}",
        ] {
            assert_eq!(coverage(pattern), Coverage { empty: true, others: true }, "{pattern}");
        }
        for pattern in [".+", "(?i).+", "(.+)", "a|.+", "a*.+", ".+.*"] {
            assert_eq!(coverage(pattern), Coverage { empty: false, others: true }, "{pattern}");
        }
        for pattern in
            ["", "()", "a*", "a?", "|a", "(?-s).*", "[^a]*", ".{0,5}", "(..)*", "x.*", ".*x", ".+.+", "a("]
        {
            assert!(!coverage(pattern).others, "{pattern}");
        }
    }
}
