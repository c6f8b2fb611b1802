//! What all parts of the parser have: the token that is next, and what to say where another is expected.

use super::lexer::{Lexer, Token};
use super::tree::Expr;
use super::{Because, Refusal, functions};

/// Beyond what people and generators write.
pub(super) const MAX_BYTES: usize = 64 << 10;
/// The parser and who walks the tree go as deep on the stack.
pub(super) const MAX_DEPTH: usize = 5_000;

pub(super) type Parsed<T> = Result<T, Refusal>;

/// Reads an expression.
pub(in crate::cli::check) fn parse(text: &str) -> Parsed<Expr> {
    if text.len() > MAX_BYTES {
        return Err(Refusal::limit(0, format!("it is longer than {} KiB", MAX_BYTES >> 10)));
    }
    let mut parser = Parser { lexer: Lexer::new(text), at: 0, token: Token::End, depth: 0 };
    parser.next()?;
    let expr = parser.expr(0)?;
    match parser.token {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

pub(super) struct Parser<'t> {
    lexer: Lexer<'t>,
    /// Where the next token starts.
    pub(super) at: usize,
    /// The next token.
    pub(super) token: Token,
    /// Expressions that are not closed.
    depth: usize,
}

impl Parser<'_> {
    /// Takes the token.
    pub(super) fn next(&mut self) -> Parsed<Token> {
        let (at, token) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(&self.token, Token::Sign(next) if *next == sign)
    }

    pub(super) fn take(&mut self, sign: &str) -> Parsed<bool> {
        let found = self.is(sign);
        if found {
            self.next()?;
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.take(sign)? { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    /// The closing one of a pair.
    pub(super) fn close(&mut self, open_at: usize, open: &str, close: &str) -> Parsed<()> {
        match self.token {
            Token::End => Err(Refusal::syntax(open_at, format!("the `{open}` is not closed"))),
            _ => self.expect(close),
        }
    }

    /// Whether a word of the language is next; they are read in either case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(next) if next.eq_ignore_ascii_case(word))
    }

    pub(super) fn take_word(&mut self, word: &str) -> Parsed<bool> {
        let found = self.is_word(word);
        if found {
            self.next()?;
        }
        Ok(found)
    }

    pub(super) fn unexpected(&self, expected: &str) -> Refusal {
        let found = match &self.token {
            Token::End => "the end".to_owned(),
            Token::Word(word) => format!("`{word}`"),
            Token::Sign(sign) => format!("`{sign}`"),
            Token::Text(_) => "a text".to_owned(),
            Token::Number(_) => "a number".to_owned(),
        };
        let mut refusal = Refusal::syntax(self.at, format!("expected {expected}, found {found}"));
        if matches!(&self.token, Token::Word(word) if functions::is_metricsql_word(word)) {
            refusal.because = Because::MetricsQl;
        }
        refusal
    }

    /// Whether a parenthesis opens behind the next token.
    pub(super) fn opens_behind(&self) -> bool {
        matches!(self.lexer.clone().next(), Ok((_, Token::Sign("("))))
    }

    /// One level deeper.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err(Refusal::limit(self.at, format!("it nests more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }
}
