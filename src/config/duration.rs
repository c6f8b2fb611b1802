//! Durations as Prometheus writes them: `90s`, `1h30m`, `7d`, `500ms`.

use std::time::Duration;

use super::cited::cited;

/// Units from the largest, the order in which they may stand. A year is 365 days, a week 7, as in Prometheus.
const UNITS_MS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
/// Prometheus keeps durations in signed nanoseconds; what overflows there is refused here.
const MAX_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Parses a duration. The error says what is wrong and what would be right.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err("expected a duration such as `30s`, `5m` or `1h30m`, found nothing".into());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let text = cited(text);
        return Err(format!("`{text}` has no unit; write a duration such as `{text}s` or `{text}m`"));
    }
    let mut rest = text;
    let mut units = UNITS_MS.iter();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (number, unit, after) = next_part(rest).ok_or_else(|| not_a_duration(text))?;
        let Some((_, unit_ms)) = units.find(|(name, _)| *name == unit) else {
            return Err(bad_unit(text, unit));
        };
        total_ms = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(*unit_ms))
            .and_then(|ms| ms.checked_add(total_ms))
            .filter(|ms| *ms <= MAX_MS)
            .ok_or_else(|| {
                format!("`{}` is too long; the longest duration is some 292 years", cited(text))
            })?;
        rest = after;
    }
    Ok(Duration::from_millis(total_ms))
}

/// Splits `1h30m` into `1`, `h` and `30m`.
fn next_part(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (number, tail) = text.split_at(digits);
    let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
    let (unit, after) = tail.split_at(letters);
    if unit.is_empty() { None } else { Some((number, unit, after)) }
}

fn not_a_duration(text: &str) -> String {
    let text = cited(text);
    format!("`{text}` is not a duration; write whole numbers with units, such as `90s`, `1h30m` or `500ms`")
}

fn bad_unit(text: &str, unit: &str) -> String {
    let is_known = UNITS_MS.iter().any(|(name, _)| *name == unit);
    let [text, unit] = [text, unit].map(cited);
    if is_known {
        return format!(
            "`{text}` has `{unit}` out of order; each unit once, larger ones first: y w d h m s ms"
        );
    }
    format!("`{text}` has the unknown unit `{unit}`; known are y, w, d, h, m, s and ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_prometheus_writes() {
        for (text, ms) in [
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for (text, error) in [
            ("", "expected a duration such as `30s`, `5m` or `1h30m`, found nothing"),
            ("0", "`0` has no unit; write a duration such as `0s` or `0m`"),
            ("30", "`30` has no unit; write a duration such as `30s` or `30m`"),
            (
                "1.5h",
                "`1.5h` is not a duration; write whole numbers with units, such as `90s`, `1h30m` or `500ms`",
            ),
            (
                "-5s",
                "`-5s` is not a duration; write whole numbers with units, such as `90s`, `1h30m` or `500ms`",
            ),
            ("30m1h", "`30m1h` has `h` out of order; each unit once, larger ones first: y w d h m s ms"),
            ("1m1m", "`1m1m` has `m` out of order; each unit once, larger ones first: y w d h m s ms"),
            ("5min", "`5min` has the unknown unit `min`; known are y, w, d, h, m, s and ms"),
            ("300y", "`300y` is too long; the longest duration is some 292 years"),
            (
                "99999999999999999999s",
                "`99999999999999999999s` is too long; the longest duration is some 292 years",
            ),
        ] {
            assert_eq!(parse(text), Err(error.to_owned()), "{text}");
        }
    }
}
