//! Text that others chose, made safe to show and to put into another language. Whoever writes to the gate names series,
//! labels and values: such a text must neither reach a terminal as an escape sequence nor become a part of a policy.
//!
//! A character that does not print (controls, bidirectional overrides, invisible ones) is shown as Go escapes it: `\n`,
//! `\u202e`, `\U000e0001`. PromQL and YAML read that back in double quotes.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Characters of a text that a message repeats.
const LONGEST_CITED: usize = 80;

/// Whether a character is seen as itself in one place of a line.
pub fn prints(c: char) -> bool {
    matches!(c, '\'' | '"' | '\\') || c.escape_debug().len() == 1
}

/// The text with what does not print escaped. The backslash stays: this is for people, not to be read back.
pub fn shown(text: &str) -> Cow<'_, str> {
    if text.chars().all(prints) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    text.chars().for_each(|c| put(&mut out, c));
    Cow::Owned(out)
}

/// The same of several lines: line feeds stay.
pub fn shown_lines(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// A text as a message repeats it, in one line: what does not print escaped, and no more than its beginning.
pub fn cited(text: &str) -> String {
    let shown = shown(text);
    match shown.char_indices().nth(LONGEST_CITED) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.into_owned(),
    }
}

/// A string of PromQL, in double quotes.
pub fn promql(text: &str) -> String {
    double_quoted(text)
}

/// The name of a label, in PromQL or YAML: in double quotes where it is an odd one.
pub fn label(name: &str) -> Cow<'_, str> {
    if is_label_name(name) { Cow::Borrowed(name) } else { Cow::Owned(double_quoted(name)) }
}

/// Whether a metric's name needs no quotes.
pub(super) fn is_metric_name(text: &str) -> bool {
    is_name(text, |b| b == b'_' || b == b':')
}

fn is_label_name(text: &str) -> bool {
    is_name(text, |b| b == b'_')
}

fn is_name(text: &str, also: impl Fn(u8) -> bool) -> bool {
    !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || also(b))
}

/// A string of YAML: in single quotes where all of it prints, else in double quotes with escapes.
pub fn yaml(text: &str) -> String {
    if text.chars().all(prints) { format!("'{}'", text.replace('\'', "''")) } else { double_quoted(text) }
}

/// What matches this text and nothing else, as a part of a regex of Go or ours.
pub fn regex(text: &str) -> String {
    // what regex-syntax escapes beyond Go's QuoteMeta means itself in both
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// JSON as it is, but for characters in its strings that do not print: those are escaped. It means the same.
pub fn json(text: String) -> String {
    let safe = |c: char| prints(c) || matches!(c, '\n' | '\r' | '\t');
    if text.chars().all(safe) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if safe(c) {
            out.push(c);
        } else {
            let units =
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            out.push_str(&units);
        }
    }
    out
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        put(&mut out, c);
    }
    out.push('"');
    out
}

/// Appends a character, escaped if it does not print.
fn put(out: &mut String, c: char) {
    match c {
        c if prints(c) => out.push(c),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
    }
}

/// Passes text on with what does not print escaped.
pub struct Printing<'w>(pub &'w mut dyn Write);

impl Write for Printing<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| !prints(*c)) {
            self.0.write_str(&rest[..at])?;
            let mut escaped = String::new();
            put(&mut escaped, c);
            self.0.write_str(&escaped)?;
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A metric's name that was a policy once, a terminal's escapes, an override of the direction, a byte of C1.
    const HOSTILE: [&str; 6] = [
        "it's \"odd\"'\n  action: drop\n- name: all\n  match: '{}",
        "\x1b[2J\x1b]0;owned\x07",
        "safe\u{202e}txt.exe",
        "a\u{9b}31mb\u{200b}\u{2028}\u{e0001}",
        "back\\slash\\n `tick` ${1} #{x}",
        "é 中 ok",
    ];

    #[test]
    fn a_message_repeats_the_beginning_of_a_text_in_one_line() {
        assert_eq!(cited("a\nb\u{202e}"), "a\\nb\\u202e");
        assert_eq!(cited(&"中".repeat(80)), "中".repeat(80));
        assert_eq!(cited(&"中".repeat(81)), format!("{}…", "中".repeat(80)));
    }

    #[test]
    fn what_does_not_print_is_shown_as_an_escape() {
        assert_eq!(shown("a b"), "a b");
        assert_eq!(shown(HOSTILE[1]), "\\u001b[2J\\u001b]0;owned\\u0007");
        assert_eq!(shown(HOSTILE[2]), "safe\\u202etxt.exe");
        assert_eq!(shown(HOSTILE[3]), "a\\u009b31mb\\u200b\\u2028\\U000e0001");
        assert_eq!(shown(HOSTILE[5]), HOSTILE[5]);
        assert_eq!(shown_lines("a\n\x1bb"), "a\n\\u001bb");
        assert!(HOSTILE.iter().all(|text| shown(text).chars().all(prints)));
    }

    #[test]
    fn json_means_the_same_and_prints() {
        for text in HOSTILE {
            let safe = json(serde_json::to_string(text).unwrap());
            assert!(safe.chars().all(prints), "{safe}");
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }

    #[test]
    fn a_quoted_regex_matches_the_text_and_nothing_else() {
        for text in HOSTILE {
            let regex = regex::Regex::new(&format!("^(?s:{})$", regex(text))).unwrap();
            assert!(regex.is_match(text) && !regex.is_match("x"), "{text}");
            assert!(promql(text).chars().all(prints) && yaml(text).chars().all(prints), "{text}");
        }
    }
}
