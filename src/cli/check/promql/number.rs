//! Numbers and durations, which are numbers of seconds.

use super::Refusal;

/// Units of durations, the largest first, as each may stand once, and only before smaller ones.
const UNITS: [(&str, f64); 7] = [
    ("y", 365.0 * 86_400.0),
    ("w", 7.0 * 86_400.0),
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
];

/// Reads the number or the duration at the front: how long it is, and its value.
pub(super) fn read(from: &str) -> Result<(usize, f64), Refusal> {
    let length = length(from);
    let text = &from[..length];
    let value = number(text).or_else(|| duration(text));
    value.map(|value| (length, value)).ok_or_else(|| refused(text))
}

/// Up to where it goes: letters belong to it, and signs behind an exponent.
fn length(from: &str) -> usize {
    let hex = from.starts_with("0x") || from.starts_with("0X");
    let mut before = '0';
    for (at, c) in from.char_indices() {
        let sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !hex;
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign) {
            return at;
        }
        before = c;
    }
    from.len()
}

fn number(text: &str) -> Option<f64> {
    let plain = separated(text)?;
    let lower = plain.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        let hex = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
        return hex.then(|| {
            digits.chars().filter_map(|c| c.to_digit(16)).fold(0.0, |sum, n| sum * 16.0 + f64::from(n))
        });
    }
    // What Rust takes beside: `1.`, `.5`, `1e5`, and words, which do not start with a digit.
    plain.parse().ok()
}

/// Without the `_` between digits; `None` where one stands elsewhere.
fn separated(text: &str) -> Option<String> {
    let misplaced = text.ends_with('_') || text.contains("__") || text.contains("_.") || text.contains("._");
    (!misplaced).then(|| text.replace('_', ""))
}

fn duration(text: &str) -> Option<f64> {
    let (mut rest, mut units, mut seconds) = (text, &UNITS[..], 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let unit = &tail[..tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len())];
        let at = units.iter().position(|(name, _)| *name == unit)?;
        seconds += number * units[at].1;
        units = &units[at + 1..];
        rest = &tail[unit.len()..];
    }
    Some(seconds)
}

/// MetricsQL has fractions of durations, steps (`5i`) and numbers in thousands (`5Ki`).
fn refused(text: &str) -> Refusal {
    let message = format!("`{text}` is no number and no duration");
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '_'));
    let unit = letters.to_ascii_lowercase();
    let thousands = unit.strip_suffix('b').unwrap_or(&unit);
    let thousands = matches!(thousands.strip_suffix('i').unwrap_or(thousands), "k" | "m" | "g" | "t");
    let fraction = text.contains('.') && UNITS.iter().any(|(name, _)| *name == unit);
    if thousands || fraction || unit == "i" {
        Refusal::metricsql(0, message)
    } else {
        Refusal::syntax(0, message)
    }
}
