//! Escapes of texts in quotes, as Go has them.

/// Adds what the escape at the front of `rest` stands for, in a text that opened with `quote`; its length as written, `None` if
/// there is none such.
pub(crate) fn escape(rest: &str, quote: char, value: &mut Vec<u8>) -> Option<usize> {
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
