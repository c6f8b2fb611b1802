//! Text to tokens.

use super::Refusal;
use super::number;
use super::text;

/// Something that stands for itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, or a word of the language: which, the place says.
    Word(String),
    Text(String),
    /// A duration is its seconds.
    Number(f64),
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 26] = [
    "=~", "!~", "!=", "==", "<=", ">=", "</", ">/", "(", ")", "{", "}", "[", "]", ",", ":", "@", "+", "-",
    "*", "/", "%", "^", "=", "<", ">",
];

/// Takes tokens from the front.
#[derive(Clone)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// Between `[` and `]` a colon is no letter.
    in_brackets: bool,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, in_brackets: false }
    }

    /// The next token and where it starts.
    pub(super) fn next(&mut self) -> Result<(usize, Token), Refusal> {
        self.skip();
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else { return Ok((start, Token::End)) };
        let second_is_digit = || rest[1..].starts_with(|c: char| c.is_ascii_digit());
        let token = if first.is_ascii_digit() || (first == '.' && second_is_digit()) {
            let (length, value) = number::read(rest).map_err(|refusal| refusal.behind(start))?;
            self.at += length;
            Token::Number(value)
        } else if matches!(first, '"' | '\'' | '`') {
            let (length, value) = text::quoted(rest).map_err(|refusal| refusal.behind(start))?;
            self.at += length;
            Token::Text(value)
        } else if first.is_ascii_alphabetic() || first == '_' || (first == ':' && !self.in_brackets) {
            Token::Word(self.word().to_owned())
        } else {
            self.sign(first)?
        };
        Ok((start, token))
    }

    fn word(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let colon = !self.in_brackets;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && colon);
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn sign(&mut self, first: char) -> Result<Token, Refusal> {
        let rest = &self.text[self.at..];
        let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) else {
            let message = match first {
                '&' | '|' => "expected `and`, `or` or `unless`, which PromQL writes as words".to_owned(),
                '!' => "expected `!=` or `!~`".to_owned(),
                _ => format!("{first:?} means nothing here"),
            };
            return Err(Refusal::syntax(self.at, message));
        };
        self.at += sign.len();
        match sign {
            "[" => self.in_brackets = true,
            "]" => self.in_brackets = false,
            _ => {}
        }
        Ok(Token::Sign(sign))
    }

    /// Goes behind spaces and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\n', '\r']);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }
}

impl Refusal {
    /// The place in a text of which this was a part from `start` on.
    fn behind(mut self, start: usize) -> Self {
        self.offset += start;
        self
    }
}
