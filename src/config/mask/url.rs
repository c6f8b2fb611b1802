//! What may be a credential in a URL: the user, the query, and each part of the path that is none of the words of which
//! the paths of remote write are made.

use std::ops::Range;

use super::is_reference;
use super::signs::{Signs, last_in};
use crate::config::source::MASK;

/// Words of the paths at which backends take remote write.
const KNOWN: [&str; 17] = [
    "api",
    "insert",
    "influx",
    "ingest",
    "metrics",
    "multitenant",
    "prom",
    "prometheus",
    "push",
    "receive",
    "remote",
    "remote-write",
    "remote_write",
    "v1",
    "v2",
    "write",
    "",
];
/// Digits of an account and a project, as VictoriaMetrics has them in its path.
const LONGEST_ACCOUNT: usize = 10;
/// Letters of a part of a path that is too short to be a credential.
const TOO_SHORT: usize = 3;
/// Digits of a port.
const LONGEST_PORT: usize = 5;

/// The parts of a URL that may be credentials, as it stands: user, parts of the path, query. Whole paths and queries come
/// before their parts.
pub fn secrets(url: &str) -> Vec<String> {
    let letters: Vec<char> = url.chars().collect();
    let text = |range: Range<usize>| letters[range].iter().collect::<String>();
    let parts = in_value(&letters, 0..letters.len());
    let path = parts.first().map(|first| first.start).filter(|_| parts.len() > 1);
    let whole = path.zip(parts.last()).map(|(start, last)| start..last.end);
    whole.into_iter().chain(parts.iter().cloned()).map(text).collect()
}

/// A text that may be a URL, without what may be a credential in it.
pub fn shown_url(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let (mut shown, mut from) = (String::new(), 0);
    for part in in_value(&letters, 0..letters.len()) {
        shown.extend(&letters[from..part.start]);
        shown.push_str(MASK);
        from = part.end;
    }
    shown.extend(&letters[from..]);
    shown
}

/// What of the URLs in a line is not to be shown.
pub(super) fn hidden(line: &[char]) -> Vec<Range<usize>> {
    let starts = (0..line.len().saturating_sub(2)).filter(|at| line[*at..at + 3] == [':', '/', '/']);
    let mut starts = starts.peekable();
    if starts.peek().is_none() {
        return Vec::new();
    }
    let signs = Signs::of(line);
    let (mut ranges, mut known) = (Vec::new(), None);
    for at in starts {
        let end = signs.end(line, at);
        let user = last_in(&signs.ats, at + 3..end);
        let part = user.map(|user| (user, end));
        // of two with the same end of the user the one that begins first hides all that the other does
        if part.is_none() || part != known {
            ranges.extend(in_text(line, at + 3..end, user));
        }
        known = part.or(known);
    }
    ranges
}

/// The same of the value of `url`, which is all of `value`: it may have no scheme, and quotes.
pub(super) fn in_value(line: &[char], value: Range<usize>) -> Vec<Range<usize>> {
    let text = &line[value.clone()];
    let quotes = usize::from(matches!(text.first(), Some('"' | '\'')));
    let is_closed = quotes > 0 && text.len() > 1 && text.first() == text.last();
    let end = value.end - usize::from(is_closed);
    let scheme = text.windows(3).position(|three| three == [':', '/', '/']).map(|at| value.start + at + 3);
    let start = value.start + quotes;
    let slashes = line[start..end].iter().take_while(|c| **c == '/').count();
    let url = scheme.unwrap_or(start + slashes)..end;
    let user = line[url.clone()].iter().rposition(|c| *c == '@').map(|at| url.start + at);
    in_text(line, url, user)
}

/// Whether a brace behind this text closes a `${NAME}`.
fn closes_variable(text: &[char]) -> bool {
    let opened = text.iter().rposition(|c| matches!(c, '{' | '}'));
    opened.is_some_and(|at| at > 0 && text[at] == '{' && text[at - 1] == '$')
}

/// The same of one URL, from behind its scheme to the end of the text that it is; `user` is the `@` behind its user.
fn in_text(line: &[char], url: Range<usize>, user: Option<usize>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut host = url.start;
    if let Some(sign) = user {
        ranges.push(host..sign);
        host = sign;
    }
    let within = |range: Range<usize>, is: fn(&char) -> bool| {
        line[range.clone()].iter().position(is).map_or(range.end, |n| range.start + n)
    };
    // nothing of a URL stands behind a blank
    let end = within(host..url.end, |c| c.is_whitespace());
    let query = within(host..end, |c| *c == '?');
    let path = within(host..query, |c| *c == '/');
    let mut from = path;
    while from < query {
        let to = within(from + 1..query, |c| *c == '/');
        if !is_known(&line[from + 1..to]) {
            ranges.push(from + 1..to);
        }
        from = to;
    }
    ranges.push((query + 1).min(end)..end);
    ranges.push(end..url.end);
    ranges.extend(no_host(line, host..path).map(|odd| odd..url.end));
    ranges.retain(|range| line[range.clone()].iter().any(|c| !c.is_whitespace()));
    super::merged(ranges)
}

/// From where on the name and the port of a host are none: a user and a password stand there, and the `@` was forgotten.
fn no_host(line: &[char], host: Range<usize>) -> Option<usize> {
    let text = &line[host.clone()];
    let text = &text[usize::from(text.first() == Some(&'@'))..];
    let start = host.end - text.len();
    // what YAML has behind a URL without a blank
    let is_closer = |at: &usize| {
        matches!(text[*at], ',' | ')' | '}') && !(text[*at] == '}' && closes_variable(&text[..*at]))
    };
    let closers = (0..text.len()).rev().take_while(is_closer).count();
    let text = &text[..text.len() - closers];
    let name = match text.first() {
        Some('[') => text.iter().position(|c| *c == ']').map_or(0, |end| end + 1),
        _ => text.iter().take_while(|c| **c != ':').count(),
    };
    // a `%` stands before the zone of an IPv6 address; elsewhere it hides a `:` or an `@`
    let is_bracketed = text.first() == Some(&'[');
    let of_name = |c: &char| {
        c.is_alphanumeric()
            || matches!(c, '.' | '-' | '_' | '[' | ']' | ':' | '$' | '{' | '}')
            || is_bracketed && *c == '%'
    };
    if !text[..name].iter().all(of_name) {
        return Some(start);
    }
    let port = text.get(name + 1..).unwrap_or_default();
    let is_number = port.len() <= LONGEST_PORT && port.iter().all(char::is_ascii_digit);
    let is_port = text.get(name).is_none_or(|c| *c == ':') && (is_number || is_reference(port));
    (!is_port).then_some(start + name + usize::from(text.get(name) == Some(&':')))
}

/// Whether a part of a path is a word that everybody knows, a short number, or a variable.
fn is_known(part: &[char]) -> bool {
    let text: String = part.iter().collect();
    // what YAML has behind a URL without a blank
    let word = text.trim_end_matches([',', '}', ']', ')']);
    let is_account = |c: char| c.is_ascii_digit() || c == ':';
    let is_number = word.len() <= LONGEST_ACCOUNT && word.chars().all(is_account);
    KNOWN.contains(&word) || part.len() <= TOO_SHORT || is_number || is_reference(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(url: &str) -> String {
        let letters: Vec<char> = url.chars().collect();
        let ranges = hidden(&letters);
        let star = |(at, c): (usize, &char)| if ranges.iter().any(|r| r.contains(&at)) { '*' } else { *c };
        letters.iter().enumerate().map(star).collect()
    }

    #[test]
    fn known_words_are_shown_and_all_else_is_hidden() {
        for (url, shown) in [
            ("https://host:8428/api/v1/write", "https://host:8428/api/v1/write"),
            (
                "http://vm/insert/0:12/prometheus/api/v1/write",
                "http://vm/insert/0:12/prometheus/api/v1/write",
            ),
            ("https://host", "https://host"),
            ("https://host/", "https://host/"),
            ("https://host/${TOKEN}/write", "https://host/${TOKEN}/write"),
            ("https://user:pass@host/api/v1/push", "https://*********@host/api/v1/push"),
            ("https://host/s3cr3t/api/v1/push", "https://host/******/api/v1/push"),
            ("https://host/write/s3cr3t", "https://host/write/******"),
            ("https://host/write?token=abc", "https://host/write?*********"),
            ("https://host?a/b", "https://host?***"),
            ("https://host/write/12345678901", "https://host/write/***********"),
            ("https://a/xxxx https://b/yyyy", "https://a/**** https://b/****"),
            ("https://a/x/y", "https://a/x/y"),
            ("[https://host/write]", "[https://host/write]"),
            ("http://[::1]:9201/write", "http://[::1]:9201/write"),
            ("{ a: http://${HOST}:${PORT} }", "{ a: http://${HOST}:${PORT} }"),
            // a quote is a part of a URL that is in none, and an escaped one is
            ("a: http://b/w?t=q\"zabc", "a: http://b/w?********"),
            ("a: http://u:p\"zabc@b/w", "a: http://********@b/w"),
            ("a: 'http://u:p\"z@b/w' # c", "a: 'http://*****@b/w' # c"),
            (r#"a: "http://b/w?t=q\"z", c: d"#, r#"a: "http://b/w?******", c: d"#),
            ("{a=\"http://b/w\", c=\"d@e\"}", "{a=\"http://b/w\", c=\"d@e\"}"),
            // a forgotten `@host`, and blanks
            ("a: http://v:abc/w", "a: http://v:*****"),
            ("a: http://v:123456/w", "a: http://v:********"),
            ("a: http://v\"abc/w", "a: http://*******"),
            ("a: http://u:ab cd@v/w # x", "a: http://*******@v/w # x"),
            ("{ a: http://u:ab cd@v/w, b: c }", "{ a: http://*******@v/w, b: c }"),
            ("a: http://u%3Aabc%40v/w", "a: http://*************"),
            ("a: http://[fe80::1%2]:9201/w", "a: http://[fe80::1%2]:9201/w"),
            ("a: http://v/w?b c d", "a: http://v/w?*****"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }

    #[test]
    fn the_secrets_of_a_url_are_its_parts() {
        assert_eq!(secrets("https://host/api/v1/write"), Vec::<String>::new());
        assert_eq!(secrets("https://host/s3cr3t/write"), ["s3cr3t"]);
        let all = secrets("https://host/s3cr3t/write?token=abc");
        assert_eq!(all, ["s3cr3t/write?token=abc", "s3cr3t", "token=abc"]);
    }
}
