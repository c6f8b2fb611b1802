//! `${NAME}` → the environment's value.
//!
//! `$${` stands for a literal `${`. Any other `$` stands for itself, so that passwords need no escapes.

use std::cell::Cell;

use super::cited::cited;

/// Replaces all references in `text`. `env` gives the value of a variable, `None` where it is not set.
pub(crate) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        let inner = &reference[2..];
        if let Some(escaped) = before.strip_suffix('$') {
            out.push_str(escaped);
            out.push_str("${");
            rest = inner;
            continue;
        }
        out.push_str(before);
        let end = inner.find('}').ok_or("`${` without `}`; write `$${` for a literal `${`")?;
        let name = &inner[..end];
        if !is_name(name) {
            // Not shown: what stands between the braces may be part of a secret.
            return Err(
                "`${…}` does not hold the name of an environment variable; write `$${` for a literal `${`"
                    .into(),
            );
        }
        out.push_str(&env(name).ok_or_else(|| unset(name))?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether there is a reference in `text`.
pub(crate) fn refers(text: &str) -> bool {
    let asked = Cell::new(false);
    let note = |_: &str| {
        asked.set(true);
        None
    };
    expand(text, &note).ok();
    asked.get()
}

/// A name in small letters is shown nowhere: braces may stand in a password.
fn unset(name: &str) -> String {
    if name.contains(|c: char| c.is_ascii_lowercase()) {
        return "the environment variable named here is not set".into();
    }
    format!("the environment variable `{}` is not set", cited(name))
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        expand(text, &|name| match name {
            "USER" => Some("u".into()),
            "REF" => Some("${USER}".into()),
            _ => None,
        })
    }

    #[test]
    fn replaces_references_once_and_leaves_other_dollars() {
        for (text, value) in [
            ("a${USER}b${USER}", "aubu"),
            ("p$a$$b$", "p$a$$b$"),
            ("$${USER}", "${USER}"),
            ("$$${USER}", "$${USER}"),
            ("${REF}", "${USER}"),
            ("", ""),
        ] {
            assert_eq!(expanded(text), Ok(value.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_reference_is_told_from_an_escaped_one() {
        for (text, is_one) in [("a${USER}", true), ("${NOPE}", true), ("$${USER}", false), ("$USER", false)] {
            assert_eq!(refers(text), is_one, "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_replace() {
        assert_eq!(expanded("${NOPE}"), Err("the environment variable `NOPE` is not set".into()));
        for text in ["${", "${}", "${A B}", "${1}", "a${USER:-x}"] {
            assert!(expanded(text).is_err(), "{text}");
        }
    }
}
