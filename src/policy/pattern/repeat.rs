//! `*`, `+`, `?` and counts in braces.

use super::error::PatternError;
use super::limits::MAX_DEPTH;
use super::translate::Parser;

/// How many copies of the innermost all counts around it make at most.
const MAX_COPIES: u32 = 1000;

/// A count in braces.
struct Count {
    min: u32,
    max: Option<u32>,
    /// How long it is in the pattern.
    len: usize,
}

impl Parser<'_> {
    /// `repeated_at` is where a repetition starts that ends right before.
    pub(super) fn sign(&mut self, c: char, repeated_at: Option<usize>) -> Result<(), PatternError> {
        let start = self.at;
        self.at += 1;
        self.repetition(c.into(), None, start, repeated_at)
    }

    /// Braces that are no count are literal.
    pub(super) fn braces(&mut self, repeated_at: Option<usize>) -> Result<(), PatternError> {
        let start = self.at;
        let Some(count) = count(self.rest()) else {
            self.at += 1;
            self.literal(u32::from('{'));
            return Ok(());
        };
        self.at += count.len;
        let Count { min, max, .. } = count;
        if min > MAX_COPIES || max.is_some_and(|max| max > MAX_COPIES || max < min) {
            return Err(self.error("invalid repeat count", start));
        }
        let operator = match max {
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        };
        // No count at all, `{0,}`, is one like `*`.
        let copies = max.or((min > 0).then_some(min));
        self.repetition(operator, copies, start, repeated_at)
    }

    fn repetition(
        &mut self,
        mut operator: String,
        copies: Option<u32>,
        start: usize,
        repeated_at: Option<usize>,
    ) -> Result<(), PatternError> {
        if self.take("?") != self.flags.lazy {
            operator.push('?');
        }
        if let Some(repeated_at) = repeated_at {
            return Err(self.error("invalid nested repetition operator", repeated_at));
        }
        let Some(size) = self.out.repeat(&operator, copies) else {
            return Err(self.error("missing argument to repetition operator", start));
        };
        if size.copies > MAX_COPIES {
            return Err(self.error("invalid repeat count", start));
        }
        if size.depth > MAX_DEPTH {
            return Err(PatternError::new("expression nests too deeply", start));
        }
        self.repeated_at = Some(start);
        Ok(())
    }
}

/// `{2}`, `{2,}` or `{2,3}` at the start of `text`, and nothing else: not `{,3}`.
fn count(text: &str) -> Option<Count> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = number(rest)?;
            (Some(max), rest)
        }
    };
    let rest = rest.strip_prefix('}')?;
    Some(Count { min, max, len: text.len() - rest.len() })
}

/// Without zeros before it; too large a one is the largest.
fn number(text: &str) -> Option<(u32, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - rest.len()];
    let plain = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    plain.then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}
