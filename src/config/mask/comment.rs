//! Where a line's comment begins. People keep old passwords in comments, so no line is shown with one.

use std::ops::Range;

/// The place of the `#`, where there is a comment, or one is meant: the blank in front of it was forgotten. A quote that is not
/// closed in this line is none: more is a comment then.
pub(super) fn start(line: &[char]) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '?' | '=' | '&' | '%');
    let goes_on = |at: usize| line.get(at + 1).is_some_and(|c| !c.is_whitespace());
    let opens = |at: usize| line[at] == '#' && (at == 0 || !is_part(line[at - 1]) || !goes_on(at));
    let mut at = 0;
    while at < line.len() {
        if opens(at) {
            return Some(at);
        }
        at = closing_quote(line, at).map_or(at, |end| end) + 1;
    }
    None
}

/// Texts in quotes, in the order of the line, without their quotes.
pub(super) fn quoted(line: &[char]) -> Vec<Range<usize>> {
    let mut texts = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let end = closing_quote(line, at);
        texts.extend(end.map(|end| at + 1..end));
        at = end.unwrap_or(at) + 1;
    }
    texts
}

/// The end of the quoted text that begins at `at`, if one does and ends in this line.
pub(super) fn closing_quote(line: &[char], at: usize) -> Option<usize> {
    let quote = line[at];
    let begins = at == 0
        || line[at - 1].is_whitespace()
        || matches!(line[at - 1], '{' | '[' | ',' | ':' | '=' | '~' | '(');
    if !matches!(quote, '"' | '\'') || !begins {
        return None;
    }
    let mut end = at + 1;
    while end < line.len() {
        match line[end] {
            '\\' if quote == '"' => end += 1,
            '\'' if quote == '\'' && line.get(end + 1) == Some(&'\'') => end += 1,
            c if c == quote => return Some(end),
            _ => {}
        }
        end += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_begins_outside_of_quotes() {
        for (line, kept) in [
            ("a: b # c", "a: b "),
            ("# c", ""),
            ("  # c", "  "),
            ("a: b#c", "a: b#c"),
            ("a: 'b # c' # d", "a: 'b # c' "),
            // without a blank it is meant as one
            ("a: 'b'# c", "a: 'b'"),
            ("a: 'b # c'#d", "a: 'b # c'"),
            ("{ a: [ b ]}#c", "{ a: [ b ]}"),
            ("a: |#c", "a: |"),
            ("a: 5x# c", "a: 5x"),
            ("a: 'it''s # b' # d", "a: 'it''s # b' "),
            (r#"a: "b \" # c" # d"#, r#"a: "b \" # c" "#),
            (r#"- {a="b # c"} # d"#, r#"- {a="b # c"} "#),
            // a text of several lines may end here, or begin
            ("b' # c", "b' "),
            ("a: 'b # c", "a: 'b "),
            ("a: don't # c't", "a: don't "),
        ] {
            let letters: Vec<char> = line.chars().collect();
            let end = start(&letters).unwrap_or(letters.len());
            assert_eq!(letters[..end].iter().collect::<String>(), kept, "{line}");
        }
    }
}
