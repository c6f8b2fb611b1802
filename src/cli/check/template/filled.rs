//! Expressions that `printf` puts together: what it puts in is not known, where it stands is.

/// The expression with a value for each verb that stands for any value; `None` where a verb stands for a part of a name.
pub(super) fn filled(format: &str) -> Option<String> {
    let mut out = String::with_capacity(format.len());
    let (mut rest, mut brackets) = (format, Vec::new());
    while let Some(c) = rest.chars().next() {
        if matches!(c, '"' | '\'') {
            let (text, behind) = string(rest)?;
            if has_verb(text) {
                any_value(&mut out)
            } else {
                out.push_str(&text.replace("%%", "%"))
            }
            rest = behind;
            continue;
        }
        if c != '%' {
            match c {
                '{' | '[' => brackets.push(c),
                '}' | ']' => {
                    brackets.pop();
                }
                _ => {}
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (verb, behind) = verb(rest)?;
        rest = behind;
        match (verb, brackets.last()) {
            ('%', _) => out.push('%'),
            ('q', _) => any_value(&mut out),
            (_, Some('[')) => duration(&mut out, behind),
            // matchers
            (_, Some(_)) if matches!(out.trim_end().chars().last(), Some('{' | ',')) => {
                rest = rest.trim_start();
                if rest.starts_with(['=', '!']) {
                    return None;
                }
                rest = rest.strip_prefix(',').unwrap_or(rest);
            }
            (_, Some(_)) => return None,
            _ if is_part_of_a_name(&out, behind) => return None,
            _ => out.push('1'),
        }
    }
    Some(out)
}

/// A string, its quotes included, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next()?;
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    end.map(|(end, _)| text.split_at(end + 1))
}

fn has_verb(text: &str) -> bool {
    text.replace("%%", "").contains('%')
}

/// The letter of a verb, behind its flags and width.
fn verb(text: &str) -> Option<(char, &str)> {
    let flags = text[1..].find(|c: char| !matches!(c, '+' | '-' | '#' | ' ' | '.' | '0'..='9'))? + 1;
    let letter = text[flags..].chars().next()?;
    Some((letter, &text[flags + letter.len_utf8()..]))
}

/// A matcher whose value is not known.
fn any_value(out: &mut String) {
    out.truncate(out.trim_end().len());
    let negated = out.ends_with("!~") || out.ends_with("!=");
    let is_matcher = negated || out.ends_with('=') || out.ends_with("=~");
    out.truncate(out.trim_end_matches(['=', '!', '~']).len());
    out.push_str(match (is_matcher, negated) {
        (false, _) => "\"\"",
        (true, false) => "=~\".+\"",
        (true, true) => "=~\".*\"",
    });
}

fn duration(out: &mut String, behind: &str) {
    // the unit may stand behind the verb
    let is_number = behind.starts_with(|c: char| c.is_ascii_alphabetic());
    out.push_str(if is_number { "5" } else { "5m" });
}

fn is_part_of_a_name(before: &str, behind: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    before.ends_with(is_name) || behind.starts_with(|c| is_name(c) || matches!(c, '{' | '[' | '('))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_become_values_that_are_not_known() {
        for (format, expected) in [
            ("up", Some("up")),
            ("up{job=\"%s\", a='b%%'}", Some("up{job=~\".+\", a='b%'}")),
            ("up{job=%q}", Some("up{job=~\".+\"}")),
            ("up{job!=\"%v\",a!~'x-%s'}", Some("up{job=~\".*\",a=~\".*\"}")),
            ("max(x{%s}) > %.2f", Some("max(x{}) > 1")),
            ("x{%s,a=\"b\"}", Some("x{a=\"b\"}")),
            ("rate(x[%s]) %% %d", Some("rate(x[5m]) % 1")),
            ("rate(x[%dm])", Some("rate(x[5m])")),
            ("%s_total", None),
            ("%s{a=\"b\"}", None),
            ("x{%s=\"b\"}", None),
        ] {
            assert_eq!(filled(format).as_deref(), expected, "{format}");
        }
    }
}
