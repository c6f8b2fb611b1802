//! One pass over a pattern: what is read is written at once, nothing is kept but the groups that are open.

use super::error::{LARGE, PatternError};
use super::flags::{Flags, START};
use super::output::Output;
use super::property;
use crate::series::quote;

/// What is written may grow by Unicode classes; Go has a limit for that as well.
const MAX_TEXT: usize = 1 << 20;

/// A pattern for Rust's engine. It needs no flags and sets none for what stands around it.
#[derive(Debug)]
pub(in crate::policy) struct Translated {
    /// What the engine compiles.
    pub(in crate::policy) text: String,
    /// The names of its groups; the first is the whole match. Kept apart since Go allows what Rust does not:
    /// a name that starts with a digit, and the same one twice.
    pub(in crate::policy) names: Vec<Option<Box<str>>>,
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) flags: Flags,
    /// Where the repetition starts that ends right here.
    pub(super) repeated_at: Option<usize>,
    pub(super) names: Vec<Option<Box<str>>>,
    pub(super) out: Output,
}

/// Reads a pattern as Go does, alone, and writes it for Rust.
///
/// # Errors
///
/// Where Go refuses it, with the message of Go and where in the pattern.
pub(in crate::policy) fn translate(pattern: &str) -> Result<Translated, PatternError> {
    let names = vec![None];
    let mut parser =
        Parser { text: pattern, at: 0, flags: START, repeated_at: None, names, out: Output::default() };
    while let Some(c) = parser.peek() {
        parser.part(c)?;
    }
    match parser.out.unclosed() {
        Some(offset) => Err(PatternError::new("missing closing )", offset)),
        None => Ok(Translated { text: parser.out.finish(), names: parser.names }),
    }
}

impl<'a> Parser<'a> {
    /// One part, which starts with `c`.
    fn part(&mut self, c: char) -> Result<(), PatternError> {
        let start = self.at;
        let repeated_at = self.repeated_at.take();
        match c {
            '(' => self.open()?,
            ')' => self.close()?,
            '[' => {
                let class = self.class()?;
                self.out.class(&class);
            }
            '*' | '+' | '?' => self.sign(c, repeated_at)?,
            '{' => self.braces(repeated_at)?,
            '\\' => self.escape()?,
            _ => {
                self.at += c.len_utf8();
                match c {
                    '|' => self.out.bar(),
                    '^' => self.out.add(if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
                    '$' => self.out.add(if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
                    '.' => self.out.add(if self.flags.dot_all { "(?s:.)" } else { r"[^\n]" }),
                    _ => self.literal(u32::from(c)),
                }
            }
        }
        if self.out.len() > MAX_TEXT {
            return Err(PatternError::new(LARGE, start));
        }
        Ok(())
    }

    /// A surrogate is one that Go takes, though no value has it.
    pub(super) fn literal(&mut self, code_point: u32) {
        match char::from_u32(code_point) {
            Some(c) if !self.flags.fold_case => self.out.literal(c),
            _ => {
                let mut class = property::of_range(code_point, code_point);
                if self.flags.fold_case {
                    property::fold(&mut class);
                }
                self.out.class(&class);
            }
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// An error in what stands from `start` to here.
    pub(super) fn error(&self, message: &str, start: usize) -> PatternError {
        PatternError::new(format!("{message}: `{}`", quote::cited(&self.text[start..self.at])), start)
    }
}
