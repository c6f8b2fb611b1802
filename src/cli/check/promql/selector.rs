//! Selectors.

use super::Refusal;
use super::lexer::Token;
use super::parser::{Parsed, Parser};
use super::tree::{Expr, Selector};
use crate::policy::known::{NAME, Test};
use crate::policy::pattern::Pattern;
use crate::policy::{MatchOp, Matcher};

impl Parser<'_> {
    /// A selector that starts at `at`, of which the name in front of the braces is read.
    pub(super) fn selector(&mut self, at: usize, name: Option<String>) -> Parsed<Expr> {
        let mut selector = Selector { name, alternatives: vec![Vec::new()] };
        let open_at = self.at;
        if self.take("{")? {
            self.matchers(open_at, &mut selector)?;
        }
        let named = selector.name.is_some();
        for matchers in &selector.alternatives {
            if named && matchers.iter().any(|matcher| matcher.name == NAME) {
                return Err(Refusal::syntax(at, "the metric name is given twice"));
            }
            let asks =
                |matcher: &Matcher| Test::new(matcher.op, &matcher.value).is_some_and(|test| !test.holds(""));
            if !named && !matchers.iter().any(asks) {
                return Err(Refusal::metricsql(
                    at,
                    "a selector needs a metric name or at least one matcher that does not match an empty value",
                ));
            }
        }
        Ok(Expr::Selector(selector))
    }

    fn matchers(&mut self, open_at: usize, selector: &mut Selector) -> Parsed<()> {
        while !self.is("}") {
            self.matcher(open_at, selector)?;
            if self.take_word("or")? {
                selector.alternatives.push(Vec::new());
            } else if !self.take(",")? {
                break;
            }
        }
        self.close(open_at, "{", "}")
    }

    /// A matcher, or a metric name in quotes.
    fn matcher(&mut self, open_at: usize, selector: &mut Selector) -> Parsed<()> {
        let at = self.at;
        let (name, quoted) = match self.next()? {
            Token::Word(word) if !word.contains(':') => (word, false),
            Token::Text(text) if !text.is_empty() => (text, true),
            Token::End => return Err(Refusal::syntax(open_at, "the `{` is not closed")),
            _ => return Err(Refusal::syntax(at, "expected a label name or `}`")),
        };
        if quoted && (self.is(",") || self.is("}")) {
            return match selector.name.replace(name) {
                Some(_) => Err(Refusal::syntax(at, "the metric name is given twice")),
                None => Ok(()),
            };
        }
        let op = match &self.token {
            Token::Sign("=") => MatchOp::Equal,
            Token::Sign("!=") => MatchOp::NotEqual,
            Token::Sign("=~") => MatchOp::Regex,
            Token::Sign("!~") => MatchOp::NotRegex,
            _ => return Err(self.unexpected("`=`, `!=`, `=~` or `!~`")),
        };
        self.next()?;
        let value_at = self.at;
        if !matches!(self.token, Token::Text(_)) {
            return Err(self.unexpected("a quoted value"));
        }
        let Token::Text(value) = self.next()? else { return Ok(()) };
        if matches!(op, MatchOp::Regex | MatchOp::NotRegex) {
            Pattern::compile(&value)
                .map_err(|reason| Refusal::syntax(value_at, format!("the regex of `{name}`: {reason}")))?;
        }
        if let Some(matchers) = selector.alternatives.last_mut() {
            matchers.push(Matcher { name, op, value });
        }
        Ok(())
    }
}
