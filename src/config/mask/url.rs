//! What may be a credential in a URL: the user, the query, and each part of the path that is none of the words of which
//! the paths of remote write are made.

use std::ops::Range;

use super::is_reference;

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

/// The parts of a URL that may be credentials, as it stands: user, parts of the path, query. Whole paths and queries come
/// before their parts.
pub fn secrets(url: &str) -> Vec<String> {
    let letters: Vec<char> = url.chars().collect();
    let text = |range: Range<usize>| letters[range].iter().collect::<String>();
    let parts = hidden(&letters);
    let path = parts.first().map(|first| first.start).filter(|_| parts.len() > 1);
    let whole = path.zip(parts.last()).map(|(start, last)| start..last.end);
    whole.into_iter().chain(parts.iter().cloned()).map(text).collect()
}

/// What of the URLs in a line is not to be shown.
pub(super) fn hidden(line: &[char]) -> Vec<Range<usize>> {
    let starts = (0..line.len().saturating_sub(2)).filter(|at| line[*at..at + 3] == [':', '/', '/']);
    starts.flat_map(|at| in_url(line, at + 3)).chain(misspelt(line)).collect()
}

/// The same of the value of `url` where it has no scheme, and what is behind a blank in it.
fn misspelt(line: &[char]) -> Vec<Range<usize>> {
    let key = ['u', 'r', 'l', ':'];
    let Some(at) = (0..line.len()).find(|at| line[*at..].starts_with(&key)) else { return Vec::new() };
    let from = at + key.len();
    let Some(mut start) = line[from..].iter().position(|c| !c.is_whitespace()).map(|n| from + n) else {
        return Vec::new();
    };
    let quote = Some(line[start]).filter(|c| matches!(c, '"' | '\''));
    start += usize::from(quote.is_some());
    let is_end = |c: &char| quote.map_or(matches!(c, ',' | '}' | '#'), |quote| *c == quote);
    let end = line[start..].iter().position(is_end).map_or(line.len(), |n| start + n);
    let value = &line[start..end];
    let mut ranges = Vec::new();
    if !value.windows(3).any(|three| three == [':', '/', '/']) {
        let slashes = value.iter().take_while(|c| **c == '/').count();
        ranges = in_url(&line[..end], start + slashes);
    }
    let blank = value.iter().position(|c| c.is_whitespace()).map(|n| start + n);
    ranges.extend(
        blank.filter(|blank| line[*blank..end].iter().any(|c| !c.is_whitespace())).map(|blank| blank..end),
    );
    ranges
}

/// The same of one URL; `start` is behind its scheme.
fn in_url(line: &[char], start: usize) -> Vec<Range<usize>> {
    let stop = |c: &char| c.is_whitespace() || matches!(c, '"' | '\'');
    let end = line[start..].iter().position(stop).map_or(line.len(), |n| start + n);
    let mut ranges = Vec::new();
    let mut host = start;
    if let Some(sign) = line[start..end].iter().rposition(|c| *c == '@') {
        ranges.push(start..start + sign);
        host = start + sign;
    }
    let query = line[host..end].iter().position(|c| *c == '?').map_or(end, |n| host + n);
    let path = line[host..query].iter().position(|c| *c == '/').map_or(query, |n| host + n);
    let mut from = path;
    while from < query {
        let to = line[from + 1..query].iter().position(|c| *c == '/').map_or(query, |n| from + 1 + n);
        if !is_known(&line[from + 1..to]) {
            ranges.push(from + 1..to);
        }
        from = to;
    }
    ranges.push((query + 1).min(end)..end);
    ranges.retain(|range| !range.is_empty());
    ranges
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
