//! Texts as Go has them: in quotes with escapes, or in backticks without.

use super::Refusal;
use crate::policy::escape;

/// Reads the text that opens at the front: how long it is as written, and what it says.
pub(super) fn quoted(from: &str) -> Result<(usize, String), Refusal> {
    let quote = from.chars().next().unwrap_or('"');
    let mut value = Vec::new();
    let mut at = quote.len_utf8();
    loop {
        let rest = from.get(at..).unwrap_or_default();
        let Some(c) = rest.chars().next().filter(|c| *c != '\n' || quote == '`') else {
            return Err(Refusal::syntax(0, "the quote is not closed"));
        };
        if c == quote {
            // Bytes that are no UTF-8 are allowed, and of no use to us.
            return Ok((at + 1, String::from_utf8_lossy(&value).into_owned()));
        }
        if c == '\\' && quote != '`' {
            let unknown =
                || Refusal::syntax(at, "unknown escape; in a regex write `\\\\`, or put it in backticks");
            at += escape(rest, quote, &mut value).ok_or_else(unknown)?;
        } else {
            value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            at += c.len_utf8();
        }
    }
}

/// What a quoted text at the front of `from` says, and what follows it.
pub(in crate::cli::check) fn unquote(from: &str) -> Option<(String, &str)> {
    let (length, value) = from.starts_with(['"', '\'', '`']).then(|| quoted(from).ok())??;
    Some((value, &from[length..]))
}
