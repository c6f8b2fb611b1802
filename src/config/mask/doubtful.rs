//! Values that are shown unless they may be a secret at the wrong place: a token under a key for the name of its
//! file, a user name with the password behind it.

use std::ops::Range;

use super::{Flow, Inside, comment, first_brace, is_reference, trimmed_end, until};

/// Letters of a part of an absolute path that may be a token, where small and large ones and digits are mixed.
const LONG: usize = 20;

/// What must hold of a value to be shown.
pub(super) type IsPlain = fn(&str) -> bool;

/// What is hidden of the values in a line; `inside` says how they go on in the next line.
pub(super) fn hidden(line: &[char], inside: &mut Inside) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    let (brace, first) = (first_brace(line), first(line));
    while let Some((key, end)) = next_word(line, at) {
        at = end;
        let gap = line[end..].iter().take_while(|c| matches!(c, '"' | '\'' | ' ' | '\t')).count();
        let name: String = line[key..end].iter().collect::<String>().to_ascii_lowercase();
        if name == "address" {
            ranges.extend(user_of_address(line, end + gap));
        }
        let Some(is_plain) = rule(&name) else { continue };
        let colon = line.get(end + gap) == Some(&':');
        // the colon may have been forgotten behind the name of a file
        if !colon && (gap == 0 || key != first || name == "username") {
            continue;
        }
        let range = value(line, key, end + gap + usize::from(colon), &name, brace < key, inside);
        at = range.end.max(end);
        let text: String = line[range.clone()].iter().collect();
        // of what goes on in the next line only a part is known
        let goes_on = matches!(inside, Inside::Open { .. });
        if !range.is_empty() && (goes_on || !all_plain(&text, &name, is_plain)) {
            ranges.push(range);
        }
    }
    ranges
}

/// A user and a password before an address, which has no scheme to tell them by.
fn user_of_address(line: &[char], colon: usize) -> Option<Range<usize>> {
    let start =
        line[colon..].iter().position(|c| !matches!(c, ':' | ' ' | '\t' | '"' | '\'')).map(|n| colon + n)?;
    let is_end = |c: &char| matches!(c, ',' | '}' | '#');
    let end = line[start..].iter().position(is_end).map_or(line.len(), |n| start + n);
    let user = line[start..end].iter().rposition(|c| *c == '@')?;
    let text: String = line[start..start + user].iter().collect();
    (!text.contains("://")).then_some(start..start + user)
}

/// What must hold of the value of a key, if it may be a secret at the wrong place.
pub(super) fn rule(name: &str) -> Option<IsPlain> {
    match name {
        "username" => Some(|text| !text.contains(|c: char| c == ':' || c.is_whitespace())),
        _ if name.ends_with("_file") || name.ends_with("_files") => Some(is_plain_path),
        _ => None,
    }
}

/// The value of a key, as far as it is in this line.
fn value(
    line: &[char],
    key: usize,
    from: usize,
    name: &str,
    in_flow: bool,
    inside: &mut Inside,
) -> Range<usize> {
    let Some(start) = line[from..].iter().position(|c| !c.is_whitespace()).map(|n| from + n) else {
        *inside = below(key, name);
        return from..from;
    };
    match line[start] {
        '#' => {
            *inside = below(key, name);
            start..start
        }
        '|' | '>' if !in_flow => {
            *inside = below(key, name);
            start..start
        }
        '{' | '[' => {
            let mut flow = Flow::default();
            let close = flow.close(line, start);
            if close.is_none() {
                *inside = Inside::Flow(flow);
            }
            start..close.map_or(line.len(), |close| close + 1)
        }
        '"' => until(line, start, &['"'], inside),
        '\'' => until(line, start, &['\''], inside),
        _ if in_flow => {
            let variable = line[start..].starts_with(&['$', '{']);
            let close = line[start..].iter().position(|c| *c == '}').filter(|_| variable);
            let range = until(line, start + close.map_or(0, |close| close + 1), &[',', '}'], inside);
            start..trimmed_end(line, start, range.end)
        }
        _ => {
            let end = comment::start(line).filter(|end| *end > start).unwrap_or(line.len());
            *inside = Inside::Block { deeper_than: key, is_awaited: false };
            start..trimmed_end(line, start, end)
        }
    }
}

/// What stands below a key: names of files by header, or a text.
fn below(key: usize, name: &str) -> Inside {
    if name.ends_with("_files") {
        Inside::Headers { deeper_than: key, names_at: None, shown: is_plain_path }
    } else {
        Inside::Block { deeper_than: key, is_awaited: true }
    }
}

/// Of a mapping in braces each value counts.
fn all_plain(text: &str, name: &str, is_plain: IsPlain) -> bool {
    let bare = |text: &str| text.trim_matches(['"', '\'', '[', ']', ' ']).to_owned();
    match text.strip_prefix('{') {
        Some(pairs) if name.ends_with("_files") => {
            let pairs = pairs.strip_suffix('}').unwrap_or(pairs);
            let value = |pair: &str| pair.split_once(':').map(|(_, value)| bare(value));
            pairs
                .split(',')
                .all(|pair| pair.trim().is_empty() || value(pair).is_some_and(|value| is_plain(&value)))
        }
        _ => is_plain(&bare(text)),
    }
}

fn next_word(line: &[char], from: usize) -> Option<(usize, usize)> {
    let is_word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = from + line[from..].iter().position(is_word)?;
    let end = line[start..].iter().position(|c| !is_word(c)).map_or(line.len(), |n| start + n);
    Some((start, end))
}

fn first(line: &[char]) -> usize {
    line.iter().position(|c| !matches!(c, ' ' | '-')).unwrap_or(0)
}

/// Whether a text is a path and cannot be a token or a password: it is absolute, or begins with `./` or `../`, and has no
/// part that looks drawn by lot; or it is made of words in small letters. A variable tells nothing.
pub(in crate::config) fn is_plain_path(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    if is_reference(&letters) {
        return true;
    }
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '$' | '{' | '}');
    let rooted = ["/", "./", "../"].iter().any(|root| text.starts_with(root));
    let mut words = text.split(['/', '.', '_', '-']);
    let is_word = |word: &str| word.chars().all(|c| c.is_ascii_lowercase());
    text.chars().all(usual) && if rooted { !words.any(is_random) } else { words.all(is_word) }
}

fn is_random(part: &str) -> bool {
    let has = |of: fn(&u8) -> bool| part.bytes().any(|b| of(&b));
    part.len() >= LONG
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_from_a_secret() {
        for path in [
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "/run/secrets/pod-7d764666f9/ca.crt",
            "./token1",
            "../tls/Key.pem",
            "token",
            "secrets/ca.pem",
            "cert_file",
            "${TOKEN_FILE}",
        ] {
            assert!(is_plain_path(path), "{path}");
        }
        for secret in [
            "hunter2",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "/8sBk3GfQ9aXr21LmZpTqwErt",
            "0123456789abcdef0123456789abcdef",
            "abc/def==",
            "Bearer token",
            "correct horse battery",
            "-----BEGIN PRIVATE KEY-----",
            "user:password",
            "https://host/token",
        ] {
            assert!(!is_plain_path(secret), "{secret}");
        }
    }
}
