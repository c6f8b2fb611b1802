//! Case as Go's `strings.ToLower` and `ToUpper` see it: one character for one character (the *simple* mappings
//! of Unicode), where Rust's own follow the full mappings (`ß` to `SS`).

/// Each character in its simple lower case.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(|c| if c == '\u{130}' { 'i' } else { single(c, c.to_lowercase()) }).collect()
}

/// Each character in its simple upper case.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(|c| iota(c).unwrap_or_else(|| single(c, c.to_uppercase()))).collect()
}

/// The mapping where it is one character; where the full one is longer there is no simple one.
fn single(c: char, mut mapped: impl ExactSizeIterator<Item = char>) -> char {
    if mapped.len() == 1 { mapped.next().unwrap_or(c) } else { c }
}

/// Greek vowels with iota subscript: in full they become two letters, simply the letter with iota adscript.
fn iota(c: char) -> Option<char> {
    let up = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => return None,
    };
    char::from_u32(u32::from(c) + up)
}
