//! Texts as Go has them: in quotes with escapes, or in backticks without.

use super::Refusal;

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

/// The length of an escape; `None` if there is none such.
fn escape(rest: &str, quote: char, value: &mut Vec<u8>) -> Option<usize> {
    let kind = rest[1..].chars().next()?;
    // What to skip before the digits, how many of them, and their base.
    let (skip, digits, radix) = match kind {
        'x' => (2, 2, 16),
        'u' => (2, 4, 16),
        'U' => (2, 8, 16),
        '0'..='7' => (1, 3, 8),
        _ => {
            value.push(match kind {
                'a' => 7,
                'b' => 8,
                'f' => 12,
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'v' => 11,
                '\\' => b'\\',
                '"' | '\'' if kind == quote => u8::try_from(kind).ok()?,
                _ => return None,
            });
            return Some(2);
        }
    };
    let digits = rest.get(skip..skip + digits).filter(|text| text.chars().all(|c| c.is_digit(radix)))?;
    let number = u32::from_str_radix(digits, radix).ok()?;
    if matches!(kind, 'u' | 'U') {
        value.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        value.push(u8::try_from(number).ok()?);
    }
    Some(skip + digits.len())
}
