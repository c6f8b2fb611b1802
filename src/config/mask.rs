//! Finds what in a config file must not be shown: passwords, tokens, header values, what may be a credential in URLs.
//!
//! Works on the text alone, because the file may not be valid YAML when a line of it is shown. Where the
//! end of a secret is in doubt, more is hidden.

mod comment;
mod doubtful;
mod nodes;
mod odd;
mod signs;
mod strict;
mod url;

use std::collections::BTreeSet;
use std::ops::Range;

pub(super) use doubtful::is_plain_path;
pub(super) use nodes::{Guarded, guarded};
pub use url::{secrets as secrets_of_url, shown_url};

/// What a line begins inside of.
enum Inside {
    Nothing,
    /// A secret text of several lines, or the value below its key: lines indented deeper than this.
    Block {
        deeper_than: usize,
        /// The value was not in the line of its key. Then a list may stand as deep as the key: only a key of ours ends it.
        is_awaited: bool,
    },
    /// A `headers:` mapping: in lines indented deeper than this, what follows the first colon, unless it may be shown.
    Headers {
        deeper_than: usize,
        names_at: Option<usize>,
        shown: doubtful::IsPlain,
    },
    /// A secret that goes on until one of these characters closes it.
    Open {
        closers: &'static [char],
    },
    /// A secret mapping or list in braces.
    Flow(Flow),
}

/// How deep in braces, and in which quotes.
#[derive(Clone, Copy, Default)]
struct Flow {
    depth: usize,
    quote: Option<char>,
}

impl Flow {
    /// Walks on from `start`; the place of the brace that closes the outermost, if it is in this line.
    fn close(&mut self, line: &[char], start: usize) -> Option<usize> {
        for (at, c) in line.iter().enumerate().skip(start) {
            match (self.quote, c) {
                (Some(quote), c) if quote == *c => self.quote = None,
                (Some(_), _) => {}
                // Inside a plain word a quote is a letter.
                (None, '"' | '\'') if at == 0 || !line[at - 1].is_alphanumeric() => self.quote = Some(*c),
                // `${NAME}` counts as a pair of its own.
                (None, '{' | '[') => self.depth += 1,
                (None, '}' | ']') => self.depth = self.depth.saturating_sub(1),
                (None, _) => {}
            }
            if self.depth == 0 {
                return Some(at);
            }
        }
        None
    }
}

/// For each line, the character ranges to hide. Keys at the places in `unknown` (line and character, from 0) may be
/// misspelt names of secrets.
pub(crate) fn hidden(lines: &[&str], unknown: &BTreeSet<(usize, usize)>) -> Vec<Vec<Range<usize>>> {
    let mut inside = Inside::Nothing;
    let numbered = lines.iter().enumerate();
    numbered
        .map(|(number, line)| {
            let marked: Vec<usize> =
                unknown.range((number, 0)..(number + 1, 0)).map(|(_, column)| *column).collect();
            hidden_in(&line.chars().collect::<Vec<_>>(), &marked, &mut inside)
        })
        .collect()
}

/// The same where the lines are no valid YAML.
pub(crate) fn hidden_strictly(lines: &[&str]) -> Vec<Vec<Range<usize>>> {
    let usual = hidden(lines, &BTreeSet::new()).into_iter();
    let strictly = lines.iter().zip(strict::hidden_from(lines)).map(|(line, from)| {
        let chars: Vec<char> = line.chars().collect();
        let blanks = chars[from..].iter().take_while(|c| c.is_whitespace()).count();
        from + blanks..chars.len()
    });
    usual
        .zip(strictly)
        .map(|(usual, strictly)| merged(usual.into_iter().chain([strictly]).collect()))
        .collect()
}

fn hidden_in(line: &[char], marked: &[usize], inside: &mut Inside) -> Vec<Range<usize>> {
    let indent = line.iter().take_while(|c| **c == ' ').count();
    let mut from = match goes_on_to(line, indent, inside) {
        Ok(from) => from,
        Err(hidden) => return hidden,
    };
    let mut ranges = if from > indent { one(indent..from) } else { Vec::new() };
    let signs = Signs::of(line);
    while let Some(key) = next_secret_key(line, marked, from) {
        let range = secret_value(line, &key, &signs, inside);
        from = range.end.max(key.value_from);
        if !range.is_empty() && !is_reference(&line[range.clone()]) {
            ranges.push(range);
        }
    }
    let mut goes_on = Inside::Nothing;
    ranges.extend(doubtful::hidden(line, &mut goes_on));
    if matches!(inside, Inside::Nothing) {
        *inside = goes_on;
    }
    ranges.extend(odd::hidden(line));
    ranges.extend(url::hidden(line));
    ranges.extend(without_colon(line, indent));
    merged(ranges)
}

/// Where what the line begins inside of ends; an error is that it goes on, and what of the line is hidden then.
fn goes_on_to(line: &[char], indent: usize, inside: &mut Inside) -> Result<usize, Vec<Range<usize>>> {
    let blank = line.iter().all(|c| c.is_whitespace());
    let mut from = 0;
    match inside {
        Inside::Nothing => {}
        Inside::Block { deeper_than, is_awaited } if blank || indent > *deeper_than => {
            *is_awaited &= blank;
            return Err(all_of(line, indent));
        }
        Inside::Headers { deeper_than, names_at, shown } if blank || indent > *deeper_than => {
            if blank {
                return Err(Vec::new());
            }
            let names_at = *names_at.get_or_insert(indent);
            if indent != names_at {
                return Err(all_of(line, indent));
            }
            let name = odd::header_name(line);
            return Err(match line.get(name) {
                Some(':') => value_range(line, name + 1, *shown),
                _ => one(name..line.len()),
            });
        }
        // of a list that stands as deep as its key
        Inside::Block { is_awaited: true, .. } | Inside::Headers { names_at: None, .. }
            if !strict::begins_with_key(line) =>
        {
            return Err(all_of(line, indent));
        }
        Inside::Block { .. } | Inside::Headers { .. } => *inside = Inside::Nothing,
        Inside::Open { closers } => match line.iter().position(|c| closers.contains(c)) {
            None => return Err(all_of(line, indent)),
            Some(end) => {
                from = end;
                *inside = Inside::Nothing;
            }
        },
        Inside::Flow(flow) => match flow.close(line, 0) {
            None => return Err(all_of(line, indent)),
            Some(end) => {
                from = end;
                *inside = Inside::Nothing;
            }
        },
    }
    Ok(from)
}

/// What follows the name of a secret at the beginning of a line where the colon was forgotten.
fn without_colon(line: &[char], indent: usize) -> Option<Range<usize>> {
    let start = indent + line[indent..].iter().take_while(|c| matches!(c, '-' | ' ')).count();
    let end = line[start..].iter().position(|c| c.is_whitespace()).map(|n| start + n)?;
    let name: String = line[start..end].iter().collect::<String>().to_ascii_lowercase();
    let value = line[end..].iter().position(|c| !c.is_whitespace()).map(|n| end + n)?;
    (!name.contains(':') && names_a_secret(&name) && line[value] != ':').then_some(value..line.len())
}

/// What is asked of a line for each of its keys, found once.
struct Signs {
    first_brace: usize,
    /// Behind the last quote.
    quotes_end: usize,
}

impl Signs {
    fn of(line: &[char]) -> Self {
        let quote = line.iter().rposition(|c| matches!(c, '"' | '\''));
        Self { first_brace: first_brace(line), quotes_end: quote.map_or(0, |quote| quote + 1) }
    }
}

fn first_brace(line: &[char]) -> usize {
    line.iter().position(|c| *c == '{').unwrap_or(line.len())
}

struct Key {
    name: String,
    starts_at: usize,
    value_from: usize,
}

/// The next key that names a secret, or is marked, its colon passed.
fn next_secret_key(line: &[char], marked: &[usize], from: usize) -> Option<Key> {
    let mut at = from;
    while at < line.len() {
        if marked.binary_search(&at).is_ok() {
            let colon = line[at..].iter().position(|c| *c == ':').map_or(line.len(), |n| at + n + 1);
            return Some(Key { name: String::new(), starts_at: at, value_from: colon });
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !is_word(line[at]) {
            at += 1;
            continue;
        }
        let end = line[at..].iter().position(|c| !is_word(*c)).map_or(line.len(), |n| at + n);
        let name: String = line[at..end].iter().collect::<String>().to_ascii_lowercase();
        let gap = line[end..].iter().take_while(|c| matches!(c, '"' | '\'' | ' ' | '\t')).count();
        if line.get(end + gap) == Some(&':') && names_a_secret(&name) {
            return Some(Key { name, starts_at: at, value_from: end + gap + 1 });
        }
        at = end;
    }
    None
}

/// Also misspelt ones: a line can be shown because its key is wrong.
fn names_a_secret(name: &str) -> bool {
    let telling = ["pass", "pwd", "token", "secret", "credential", "bearer", "api_key", "apikey"];
    matches!(name, "headers" | "auth" | "basic_auth" | "authorization" | "endpoint_params")
        || !name.ends_with("file")
            && !name.ends_with("files")
            && telling.iter().any(|part| name.contains(part))
}

/// The part of this line that the value of `key` covers; `inside` says how it goes on in the next line.
fn secret_value(line: &[char], key: &Key, signs: &Signs, inside: &mut Inside) -> Range<usize> {
    let start = line[key.value_from..].iter().position(|c| !c.is_whitespace()).map(|n| key.value_from + n);
    let Some(start) = start.filter(|at| line[*at] != '#') else {
        *inside = match key.name.as_str() {
            "auth" | "basic_auth" => Inside::Nothing,
            "headers" => Inside::Headers { deeper_than: key.starts_at, names_at: None, shown: |_| false },
            _ => Inside::Block { deeper_than: key.starts_at, is_awaited: true },
        };
        return key.value_from..key.value_from;
    };
    let in_flow = signs.first_brace < key.starts_at;
    match line[start] {
        '{' if matches!(key.name.as_str(), "auth" | "basic_auth") => start..start,
        '{' | '[' => {
            let mut flow = Flow::default();
            let close = flow.close(line, start);
            if close.is_none() {
                *inside = Inside::Flow(flow);
            }
            start..close.unwrap_or(line.len())
        }
        '"' => quoted(line, start, &['"'], inside),
        '\'' => quoted(line, start, &['\''], inside),
        // A quote further on may hold any of the closers below: hide the rest.
        _ if start < signs.quotes_end => start..line.len(),
        '$' if in_flow && line.get(start + 1) == Some(&'{') => {
            let close = line[start..].iter().position(|c| *c == '}').map_or(line.len(), |n| start + n + 1);
            let rest = until(line, close, &[',', '}'], inside);
            start..trimmed_end(line, start, rest.end)
        }
        // The value came too late.
        ',' if in_flow => start..line.len(),
        _ if in_flow => {
            let range = until(line, start, &[',', '}'], inside);
            start..trimmed_end(line, start, range.end)
        }
        _ => {
            let is_awaited = matches!(line[start], '|' | '>');
            *inside = Inside::Block { deeper_than: key.starts_at, is_awaited };
            start..line.len()
        }
    }
}

/// A text in quotes, and what stands behind them where nothing may: the quote that closes was a part of the secret.
fn quoted(line: &[char], start: usize, closers: &'static [char], inside: &mut Inside) -> Range<usize> {
    let range = until(line, start, closers, inside);
    let behind = line[range.end..].iter().find(|c| !c.is_whitespace());
    if behind.is_none_or(|c| matches!(c, ',' | '}' | ']' | '#')) { range } else { start..line.len() }
}

/// From `start` to the closing character; without one the next lines are hidden until it comes.
fn until(line: &[char], start: usize, closers: &'static [char], inside: &mut Inside) -> Range<usize> {
    let quoted = matches!(closers, ['"'] | ['\'']);
    let mut at = if quoted { start + 1 } else { start };
    while at < line.len() {
        match line[at] {
            '\\' if closers == ['"'] => at += 1,
            '\'' if closers == ['\''] && line.get(at + 1) == Some(&'\'') => at += 1,
            c if closers.contains(&c) => return start..if quoted { at + 1 } else { at },
            _ => {}
        }
        at += 1;
    }
    *inside = Inside::Open { closers };
    start..line.len()
}

fn trimmed_end(line: &[char], start: usize, end: usize) -> usize {
    line[start..end].iter().rposition(|c| !c.is_whitespace()).map_or(start, |n| start + n + 1)
}

/// `${NAME}` alone tells nothing, and seeing it helps.
fn is_reference(value: &[char]) -> bool {
    let text: String = value.iter().collect();
    let text = text.trim().trim_matches(['"', '\'']);
    text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| {
        !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    })
}

fn value_range(line: &[char], from: usize, shown: doubtful::IsPlain) -> Vec<Range<usize>> {
    let start = line[from..].iter().position(|c| !c.is_whitespace()).map_or(line.len(), |n| from + n);
    let text: String = line[start..].iter().collect();
    let is_shown = is_reference(&line[start..]) || shown(text.trim().trim_matches(['"', '\'']));
    if start == line.len() || is_shown { Vec::new() } else { one(start..line.len()) }
}

/// How many characters of a line may be shown: no comment, and no blanks in front of it.
pub(crate) fn without_comment(line: &str) -> usize {
    let letters: Vec<char> = line.chars().collect();
    match comment::start(&letters) {
        Some(start) => trimmed_end(&letters, 0, start),
        None => letters.len(),
    }
}

fn all_of(line: &[char], indent: usize) -> Vec<Range<usize>> {
    if indent < line.len() { one(indent..line.len()) } else { Vec::new() }
}

fn one(range: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(range).collect()
}

/// What is hidden of the parts of a line that belong to values that were read, and whether each is a URL.
pub(super) fn hidden_of(line: &str, parts: Vec<(Range<usize>, bool)>) -> Vec<Range<usize>> {
    let letters: Vec<char> = line.chars().collect();
    let mut ranges = Vec::new();
    for (part, is_url) in parts {
        let part = part.start.min(letters.len())..part.end.min(letters.len());
        // a quote in the value hides from the text alone that a comment follows
        let behind = letters[part.end..].iter().find(|c| !c.is_whitespace());
        ranges.extend((behind == Some(&'#')).then_some(part.end..letters.len()));
        if is_url && !part.is_empty() {
            ranges.extend(url::in_value(&letters, part));
        } else {
            ranges.push(part);
        }
    }
    ranges
}

/// Sorted, without overlaps and empty ranges.
pub(super) fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
