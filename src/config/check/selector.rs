//! STAND-IN until `policy::Selector::parse` and `PolicySet::compile` exist; then this file goes.
//! See "WIRE HERE" in `policies`.
//!
//! `name{label="value", …}` with the four operators, quoted strings and the escapes `\\`, `\"`, `\'`, `\n`.
//! No quoted label names; regexes are checked in the dialect of the `regex` crate, their place is not told.

use super::policies::{CompileFault, SelectorFault};
use crate::policy::{Definition, MatchOp, Matcher, Selector};

/// The first regex that does not compile.
pub(super) fn compile(definitions: &[Definition]) -> Result<(), CompileFault> {
    for (policy, definition) in definitions.iter().enumerate() {
        for (selector, matchers) in definition.selectors.iter().enumerate() {
            let regexes =
                matchers.matchers.iter().filter(|m| matches!(m.op, MatchOp::Regex | MatchOp::NotRegex));
            for matcher in regexes {
                if let Err(error) = regex::Regex::new(&matcher.value) {
                    let reason = error.to_string().lines().last().unwrap_or_default().to_owned();
                    let message =
                        format!("the regex of `{}`: {}", matcher.name, reason.trim_start_matches("error: "));
                    return Err(CompileFault {
                        policy,
                        selector,
                        fault: SelectorFault { message, offset: 0 },
                    });
                }
            }
        }
    }
    Ok(())
}

pub(super) fn parse(text: &str) -> Result<Selector, SelectorFault> {
    let mut cursor = Cursor { text, at: 0 };
    let mut matchers = Vec::new();
    cursor.spaces();
    let metric = cursor.word(|c| c == ':');
    if !metric.is_empty() {
        matchers.push(Matcher { name: "__name__".into(), op: MatchOp::Equal, value: metric.into() });
    }
    cursor.spaces();
    if cursor.take("{") {
        cursor.matchers(&mut matchers)?;
    } else if metric.is_empty() {
        return Err(cursor.fault("expected a metric name or `{`"));
    }
    cursor.spaces();
    if cursor.rest().is_empty() { Ok(Selector { matchers }) } else { Err(cursor.fault("expected the end")) }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<(), SelectorFault> {
        loop {
            self.spaces();
            if self.take("}") {
                return Ok(());
            }
            let name = self.word(|_| false).to_owned();
            if name.is_empty() {
                return Err(self.fault("expected a label name or `}`"));
            }
            self.spaces();
            let op = self.operator()?;
            self.spaces();
            let value = self.quoted()?;
            matchers.push(Matcher { name, op, value });
            self.spaces();
            if !self.take(",") && !self.rest().starts_with('}') {
                return Err(self.fault("expected `,` or `}`"));
            }
        }
    }

    fn operator(&mut self) -> Result<MatchOp, SelectorFault> {
        for (text, op) in [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual)] {
            if self.take(text) {
                return Ok(op);
            }
        }
        if self.take("=") { Ok(MatchOp::Equal) } else { Err(self.fault("expected `=`, `!=`, `=~` or `!~`")) }
    }

    fn quoted(&mut self) -> Result<String, SelectorFault> {
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
            return Err(self.fault("expected a quoted value"));
        };
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at += at + 1;
                    return Ok(value);
                }
                '\\' if quote != '`' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c)) if matches!(c, '\\' | '"' | '\'') => value.push(c),
                    _ => {
                        self.at += at;
                        return Err(self.fault("unknown escape; in a regex write `\\\\`"));
                    }
                },
                c => value.push(c),
            }
        }
        Err(self.fault("the quote is not closed"))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn word(&mut self, also: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || also(c);
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn fault(&self, message: &str) -> SelectorFault {
        SelectorFault { message: message.into(), offset: self.at }
    }
}
