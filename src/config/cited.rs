//! What a message repeats of a value.

use super::source::MASK;
use crate::series::quote;

/// The beginning of a value, in one line, without what was meant as a comment. A URL may hold a password at any place.
pub(crate) fn cited(text: &str) -> String {
    if text.contains("://") {
        return MASK.to_owned();
    }
    match text.split_once('#') {
        Some((value, _)) => quote::cited(&format!("{value}…")),
        None => quote::cited(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_repeated_without_comment_and_never_a_url() {
        for (text, told) in [
            ("5 parsecs", "5 parsecs"),
            ("5s'# abc", "5s'…"),
            ("5s#abc", "5s…"),
            ("a\nb", "a\\nb"),
            ("http://u:p@h", MASK),
            ("", ""),
        ] {
            assert_eq!(cited(text), told);
        }
    }
}
