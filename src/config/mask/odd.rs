//! Keys that are no words: a slip in the name of a secret makes one, and what stands behind it may be the secret.

use std::ops::Range;

use super::comment;

/// All behind the first colon before which no key stands, or one with other signs in it than keys have.
pub(super) fn hidden(line: &[char]) -> Option<Range<usize>> {
    let is_colon = |at: &usize| {
        let ends = line.get(at + 1).is_none_or(|c| c.is_whitespace());
        let closes = *at > 1 && is_quote(line[at - 1]) && !is_mark(line[at - 2]);
        line[*at] == ':' && (ends || closes)
    };
    let end = comment::start(line).unwrap_or(line.len());
    let odd = (0..end).filter(is_colon).find(|colon| !is_key(&line[..*colon]))?;
    Some(odd + 1..line.len())
}

/// How much of the line of a header is its name; the rest is the value, with or without a colon.
pub(super) fn header_name(line: &[char]) -> usize {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ' ' | '"' | '\'');
    let blanks = line.iter().take_while(|c| **c == ' ').count();
    let end = line[blanks..].iter().position(|c| !is_name(c)).map_or(line.len(), |n| blanks + n);
    let name: String = line[blanks..end].iter().collect();
    // a blank stands before the colon only
    name.trim_end().find(' ').map_or(end, |blank| blanks + blank)
}

/// Whether a text ends in a word that may be a key, in quotes or not.
fn is_key(before: &[char]) -> bool {
    let blanks = |text: &[char]| text.iter().rev().take_while(|c| c.is_whitespace()).count();
    let mut end = before.len() - blanks(before);
    let quote = end.checked_sub(1).map(|last| before[last]).filter(|c| is_quote(*c));
    end -= usize::from(quote.is_some());
    let is_word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '<');
    let of_key = |c: &&char| is_word(c) || quote.is_some() && **c == ' ';
    let word = before[..end].iter().rev().take_while(of_key).count();
    let mut start = end - word;
    if let Some(quote) = quote {
        if start == 0 || before[start - 1] != quote {
            return false;
        }
        start -= 1;
    }
    let rest = start - blanks(&before[..start]);
    word > 0 && (rest == 0 || matches!(before[rest - 1], '{' | '[' | ',' | '-' | '?'))
}

/// Behind which a value may begin.
fn is_mark(c: char) -> bool {
    c.is_whitespace() || matches!(c, '{' | '[' | ',' | ':')
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_word_behind_a_mark_or_at_the_beginning() {
        for (line, shown) in [
            ("  - password: x", "  - password: x"),
            ("{ \"a b\": x, c : d, 'e':f }", "{ \"a b\": x, c : d, 'e':f }"),
            ("url: http://h:1/w", "url: http://h:1/w"),
            ("address: ':9201' # a b: c", "address: ':9201' # a b: c"),
            (": x", ":"),
            ("pass word: x", "pass word:"),
            ("\"pass\\word\": x", "\"pass\\word\":"),
            ("{ \"password\",: x }", "{ \"password\",:"),
            ("{ a]: x", "{ a]:"),
        ] {
            let letters: Vec<char> = line.chars().collect();
            let end = hidden(&letters).map_or(letters.len(), |hidden| hidden.start);
            assert_eq!(letters[..end].iter().collect::<String>(), shown, "{line}");
        }
    }

    #[test]
    fn the_name_of_a_header_ends_where_it_cannot_go_on() {
        for (line, name) in [
            ("  X-A: b", "  X-A"),
            ("  \"X-A\" : b", "  \"X-A\" "),
            ("  X-A b  C: d", "  X-A"),
            ("  X}A", "  X"),
        ] {
            let letters: Vec<char> = line.chars().collect();
            assert_eq!(letters[..header_name(&letters)].iter().collect::<String>(), name, "{line}");
        }
    }
}
