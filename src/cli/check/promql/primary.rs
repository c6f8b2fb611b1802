//! Numbers, texts, parentheses, and what starts with a word.

use super::Refusal;
use super::functions;
use super::lexer::Token;
use super::parser::{Parsed, Parser};
use super::tree::Expr;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let at = self.at;
        if self.is("{") {
            return self.selector(at, None);
        }
        if self.take("(")? {
            let inside = self.expr(0)?;
            self.close(at, "(", ")")?;
            return Ok(inside);
        }
        if !matches!(self.token, Token::Number(_) | Token::Text(_) | Token::Word(_)) {
            return Err(self.unexpected("an expression"));
        }
        match self.next()? {
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Word(word) => self.named(at, word),
            Token::Sign(_) | Token::End => Err(Refusal::syntax(at, "expected an expression")),
        }
    }

    /// What starts with this word.
    fn named(&mut self, at: usize, word: String) -> Parsed<Expr> {
        let lower = word.to_ascii_lowercase();
        let groups = self.is_word("by") || self.is_word("without");
        if functions::is_aggregation(&lower) && (groups || self.is("(")) {
            return self.aggregation(at, lower);
        }
        match lower.as_str() {
            "inf" => return Ok(Expr::Number(f64::INFINITY)),
            "nan" => return Ok(Expr::Number(f64::NAN)),
            _ => {}
        }
        if self.is("(") {
            return self.call(at, word);
        }
        if groups {
            return Err(functions::unknown(at, &word, "aggregation"));
        }
        self.selector(at, Some(word))
    }
}
