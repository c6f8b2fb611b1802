//! Sizes: `1MB` is 10^6 bytes, `1MiB` is 2^20, and so is `1Mi`, as Kubernetes writes it.

use super::cited::cited;

const UNITS: [(&str, u64); 14] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
];

/// Parses a size in bytes. The error says what is wrong and what would be right.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with(['.', ',']) {
        return Err(format!(
            "`{}` is not a size; write a whole number with a unit, such as `512KB` or `32MiB`",
            cited(text)
        ));
    }
    if unit.is_empty() {
        let text = cited(text);
        return Err(format!("`{text}` has no unit; write a size such as `{text}B` or `{text}MiB`"));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()) else {
        let [text, unit] = [text, unit].map(cited);
        return Err(format!(
            "`{text}` has the unknown unit `{unit}`; known are B, KB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB or Ki, Mi, Gi, Ti (of 1024)"
        ));
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(*factor))
        .ok_or_else(|| format!("`{}` is more than 2^64 bytes", cited(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_powers_of_1000_from_powers_of_1024() {
        for (text, bytes) in [
            ("0B", 0),
            ("10B", 10),
            ("1kB", 1_000),
            ("1MB", 1_000_000),
            ("1MiB", 1 << 20),
            ("4 KiB", 4096),
            ("3Ki", 3 << 10),
            ("512Mi", 512 << 20),
            ("2 Gi", 2 << 30),
            ("1Ti", 1 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for (text, part) in [
            ("", "is not a size"),
            ("MiB", "is not a size"),
            ("-1MB", "is not a size"),
            ("1.5MB", "is not a size"),
            ("32", "`32` has no unit; write a size such as `32B` or `32MiB`"),
            ("32M", "unknown unit `M`"),
            ("32mb", "unknown unit `mb`"),
            ("32mi", "unknown unit `mi`; known are B, KB, MB, GB, TB (powers of 1000) and KiB"),
            ("32K", "KiB, MiB, GiB, TiB or Ki, Mi, Gi, Ti (of 1024)"),
            ("16777216Ti", "more than 2^64 bytes"),
            ("99999999TiB", "more than 2^64 bytes"),
            ("99999999999999999999999B", "more than 2^64 bytes"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
