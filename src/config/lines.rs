//! The lines of a text.

/// The lines as YAML ends them: by a line feed, a carriage return, or both.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let both = rest[end..].starts_with("\r\n");
        rest = &rest[end + 1 + usize::from(both)..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_as_yaml_ends_it() {
        for text in ["a\n\nb", "a\r\n\r\nb\r\n", "a\r\rb\r"] {
            assert_eq!(lines(text), ["a", "", "b"], "{text:?}");
        }
        assert_eq!(lines("a\n\rb"), ["a", "", "b"]);
        assert!(lines("").is_empty());
    }
}
