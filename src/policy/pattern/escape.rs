//! What a backslash starts.

use super::error::PatternError;
use super::translate::Parser;

const ESCAPE: &str = "invalid escape sequence";

impl Parser<'_> {
    /// Outside of square brackets.
    pub(super) fn escape(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let assertion = match self.rest().chars().nth(1) {
            Some('A') => r"\A",
            Some('z') => r"\z",
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('Q') => {
                self.quoted();
                return Ok(());
            }
            Some('C') => {
                self.at += 2;
                return Err(self.error(ESCAPE, start));
            }
            _ => {
                match self.escaped_class()? {
                    Some(class) => self.out.class(&class),
                    None => {
                        let code_point = self.code_point()?;
                        self.literal(code_point);
                    }
                }
                return Ok(());
            }
        };
        self.at += 2;
        self.out.add(assertion);
        Ok(())
    }

    /// `\Q…\E`, or up to the end. Each character is an item, so that only the last would be repeated.
    fn quoted(&mut self) {
        self.at += 2;
        while self.peek().is_some() && !self.take(r"\E") {
            let c = self.next().map_or(0, u32::from);
            self.literal(c);
        }
    }

    /// An escape that stands for one code point, maybe a surrogate.
    pub(super) fn code_point(&mut self) -> Result<u32, PatternError> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.next() else {
            return Err(PatternError::new("trailing backslash at end of expression", start));
        };
        let found = match c {
            '0' => Some(self.octal(0)),
            // A digit alone would refer back to a group.
            '1'..='7' if self.rest().starts_with(|c| matches!(c, '0'..='7')) => {
                Some(self.octal(c.to_digit(8).unwrap_or(0)))
            }
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            't' => Some(0x09),
            'n' => Some(0x0a),
            'v' => Some(0x0b),
            'f' => Some(0x0c),
            'r' => Some(0x0d),
            _ => (c.is_ascii() && !c.is_ascii_alphanumeric()).then_some(u32::from(c)),
        };
        found.ok_or_else(|| self.error(ESCAPE, start))
    }

    /// Up to three digits with the first.
    fn octal(&mut self, first: u32) -> u32 {
        let mut value = first;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            self.at += 1;
            value = value * 8 + digit;
        }
        value
    }

    /// Two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            // Read on before judging: the error shows both.
            let second = self.next();
            return Some(first.to_digit(16)? * 16 + second?.to_digit(16)?);
        }
        let mut value = None;
        loop {
            let c = self.next()?;
            if c == '}' {
                return value;
            }
            let next = value.unwrap_or(0) * 16 + c.to_digit(16)?;
            value = Some(next).filter(|value| *value <= u32::from(char::MAX));
            value?;
        }
    }
}
