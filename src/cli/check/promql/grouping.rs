//! Lists of labels in parentheses.

use super::Refusal;
use super::lexer::Token;
use super::parser::{Parsed, Parser};
use super::tree::Keep;

impl Parser<'_> {
    pub(super) fn labels(&mut self) -> Parsed<Vec<String>> {
        let open_at = self.at;
        self.expect("(")?;
        let mut labels = Vec::new();
        while !self.is(")") {
            let at = self.at;
            match self.next()? {
                Token::Word(word) if !word.contains(':') => labels.push(word),
                Token::Text(text) if !text.is_empty() => labels.push(text),
                Token::Sign("*") => return Err(Refusal::metricsql(at, "expected a label name, found `*`")),
                Token::End => return Err(Refusal::syntax(open_at, "the `(` is not closed")),
                _ => return Err(Refusal::syntax(at, "expected a label name or `)`")),
            }
            if !self.take(",")? {
                break;
            }
        }
        self.close(open_at, "(", ")")?;
        Ok(labels)
    }

    /// `by (…)` or `without (…)`, if it is next.
    pub(super) fn keep(&mut self) -> Parsed<Option<Keep>> {
        Ok(if self.take_word("by")? {
            Some(Keep::These(self.labels()?))
        } else if self.take_word("without")? {
            Some(Keep::Others(self.labels()?))
        } else {
            None
        })
    }
}
