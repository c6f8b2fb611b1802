//! Selectors as PromQL writes them, `name{label="value", other=~"regex"}`: the harness' own reading, so that what is expected does not
//! come from the program that is measured.

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;

/// Which series are meant.
#[derive(Clone, Debug)]
pub struct Selector(Vec<Matcher>);

#[derive(Clone, Debug)]
struct Matcher {
    label: String,
    test: Test,
    wanted: bool,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    Matches(Regex),
}

impl Selector {
    /// Reads a selector. Regexes are anchored, and of Rust's dialect.
    pub fn parse(text: &str) -> Result<Self> {
        read(text.trim()).with_context(|| format!("selector {text:?}"))
    }

    /// Whether the series with these labels is meant; a missing label is empty.
    pub fn matches(&self, labels: &[(&str, &str)]) -> bool {
        self.0.iter().all(|matcher| {
            let found = labels.iter().find(|label| label.0 == matcher.label).map_or("", |label| label.1);
            let same = match &matcher.test {
                Test::Equal(value) => value == found,
                Test::Matches(regex) => regex.is_match(found),
            };
            same == matcher.wanted
        })
    }
}

fn read(text: &str) -> Result<Selector> {
    let (name, inside) = match text.split_once('{') {
        Some((name, rest)) => (name.trim(), rest.trim_end().strip_suffix('}').context("no closing bracket")?),
        None => (text, ""),
    };
    let mut matchers = Vec::new();
    if !name.is_empty() {
        let test = Test::Equal(name.to_owned());
        matchers.push(Matcher { label: "__name__".into(), test, wanted: true });
    }
    let mut rest = inside.trim();
    while !rest.is_empty() {
        let end = rest.find(['=', '!']).context("a label without an operator")?;
        let (label, behind) = rest.split_at(end);
        let operators = ["=~", "!~", "!=", "="];
        let operator = operators.iter().find(|op| behind.starts_with(**op)).context("an unknown operator")?;
        let (value, behind) = quoted(behind[operator.len()..].trim_start())?;
        let test = if operator.ends_with('~') {
            Test::Matches(Regex::new(&format!("^(?s:{value})$"))?)
        } else {
            Test::Equal(value)
        };
        ensure!(!label.trim().is_empty(), "an operator without a label");
        matchers.push(Matcher { label: label.trim().into(), test, wanted: !operator.starts_with('!') });
        rest = behind.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => bail!("no comma before {rest:?}"),
        };
    }
    ensure!(!matchers.is_empty(), "it selects everything; leave it out instead");
    Ok(Selector(matchers))
}

/// A value in double quotes or in single ones, and what is behind it; a backslash stands before what is special.
pub(crate) fn quoted(text: &str) -> Result<(String, &str)> {
    let mut letters = text.char_indices();
    let (_, quote) =
        letters.next().filter(|(_, c)| ['"', '\''].contains(c)).context("a value without quotes")?;
    let mut value = String::new();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Ok((value, &text[at + 1..])),
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            _ => value.push(letter),
        }
    }
    bail!("a value without an end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_operators() {
        let labels = [("__name__", "up"), ("job", "a"), ("pod", "x-1")];
        let matches = |text| Selector::parse(text).unwrap().matches(&labels);
        assert!(
            matches("up") && matches("up{}") && matches(r#"{job="a"}"#) && matches(r#"up{pod=~"x-[0-9]",}"#)
        );
        assert!(matches(r#"{job!="b", zone=""}"#) && matches(r#"{pod!~"y.*"}"#) && matches(r"{job='a'}"));
        assert!(!matches("down") && !matches(r#"{pod=~"x"}"#) && !matches(r#"{zone!=""}"#));
        for bad in
            ["", "{}", "{job}", r#"{job="a}"#, r#"{job="a" pod="b"}"#, r#"{pod=~"("}"#, "up{", r#"{="a"}"#]
        {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
    }
}
