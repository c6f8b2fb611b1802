//! Prometheus' text format with millisecond timestamps: `name{label="value",…} value [timestamp]`.

/// One sample of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// As written; a name may be given twice, which the gate will refuse.
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
    pub(super) timestamp_ms: Option<i64>,
}

/// What a `# TYPE` comment says: the metric family and its type, as Prometheus' text format names types.
pub(super) fn declared_type(text: &str) -> Option<(&str, &str)> {
    let mut words = text.trim_start().strip_prefix('#')?.split_ascii_whitespace();
    (words.next()? == "TYPE").then_some(())?;
    Some((words.next()?, words.next()?))
}

/// What is wrong, and where in the line (bytes).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: &'static str,
    pub(super) at: usize,
}

/// The value that Prometheus writes when a series ends.
pub(super) const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;
/// What Prometheus makes of `NaN`.
const NORMAL_NAN: u64 = 0x7ff8_0000_0000_0001;

/// Reads a line; `None` where it has no sample (blank, comment).
pub(super) fn line(text: &str) -> Result<Option<Line>, Fault> {
    let mut cursor = Cursor { text: text.trim_end(), at: 0 };
    cursor.blanks();
    if cursor.rest().is_empty() || cursor.rest().starts_with('#') {
        return Ok(None);
    }
    let mut labels = Vec::new();
    let name = cursor.word(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if !name.is_empty() {
        labels.push(("__name__".to_owned(), name.to_owned()));
    }
    cursor.blanks();
    if cursor.take('{') {
        cursor.labels(&mut labels)?;
    } else if labels.is_empty() {
        return Err(cursor.fault("expected a metric name or `{`"));
    }
    cursor.blanks();
    let at = cursor.at;
    let value = value(cursor.word(|c| !c.is_whitespace())).ok_or(Fault {
        message: "expected a value, such as `1`, `2.5e3`, `NaN`, `+Inf` or `StaleNaN`",
        at,
    })?;
    cursor.blanks();
    let at = cursor.at;
    let timestamp_ms = match cursor.word(|c| !c.is_whitespace()) {
        // what OpenMetrics puts behind a sample, an exemplar, is no sample
        "" | "#" => None,
        word => Some(
            word.parse().map_err(|_| Fault { message: "expected a timestamp in whole milliseconds", at })?,
        ),
    };
    cursor.blanks();
    if timestamp_ms.is_some() && !cursor.rest().is_empty() && !cursor.rest().starts_with('#') {
        return Err(cursor.fault("expected the end of the line"));
    }
    Ok(Some(Line { labels, value, timestamp_ms }))
}

fn value(word: &str) -> Option<f64> {
    if word == "StaleNaN" {
        return Some(f64::from_bits(STALE_NAN));
    }
    let value: f64 = word.parse().ok()?;
    let unsigned = word.trim_start_matches(['+', '-']);
    if value.is_nan() {
        // a NaN has no sign to Prometheus
        return (unsigned == word).then_some(f64::from_bits(NORMAL_NAN));
    }
    // to Rust a number that is too large is infinite, to Prometheus it is a mistake
    (value.is_finite() || unsigned.starts_with(['i', 'I'])).then_some(value)
}

struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn fault(&self, message: &'static str) -> Fault {
        Fault { message, at: self.at }
    }

    fn blanks(&mut self) {
        self.word(|c| c == ' ' || c == '\t');
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        if there {
            self.at += c.len_utf8();
        }
        there
    }

    /// Up to and with the closing brace.
    fn labels(&mut self, labels: &mut Vec<(String, String)>) -> Result<(), Fault> {
        loop {
            self.blanks();
            if self.take('}') {
                return Ok(());
            }
            let at = self.at;
            let quoted = self.rest().starts_with('"');
            let name = if quoted {
                self.quoted()?
            } else {
                self.word(|c| c.is_ascii_alphanumeric() || c == '_').to_owned()
            };
            if name.is_empty() {
                return Err(Fault { message: "expected a label name or `}`", at });
            }
            self.blanks();
            if quoted && self.rest().starts_with([',', '}']) {
                labels.push(("__name__".to_owned(), name));
            } else {
                if !self.take('=') {
                    return Err(self.fault("expected `=`"));
                }
                self.blanks();
                let value = self.quoted()?;
                labels.push((name, value));
            }
            self.blanks();
            if !self.take(',') && !self.rest().starts_with('}') {
                return Err(self.fault("expected `,` or `}`"));
            }
        }
    }

    fn quoted(&mut self) -> Result<String, Fault> {
        let start = self.at;
        if !self.take('"') {
            return Err(self.fault("expected `\"`"));
        }
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, c @ ('\\' | '"'))) => out.push(c),
                    // Prometheus leaves other escapes as they are
                    Some((_, c)) => out.extend(['\\', c]),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err(Fault { message: "the text has no closing `\"`", at: start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_exporters_write_them() {
        for (text, expected) in [
            ("up 1", Some((vec![("__name__", "up")], 1.0, None))),
            ("up{} 1 5", Some((vec![("__name__", "up")], 1.0, Some(5)))),
            (
                "a:b_c {x=\"1\",\ty=\"\\\"\\\\\\n\" , } -2.5e3\t-7  ",
                Some((vec![("__name__", "a:b_c"), ("x", "1"), ("y", "\"\\\n")], -2500.0, Some(-7))),
            ),
            (
                "{\"my.metric\", \"l.x\"=\"é\"} +Inf 1",
                Some((vec![("__name__", "my.metric"), ("l.x", "é")], f64::INFINITY, Some(1))),
            ),
            ("x 1 # {trace=\"a\"} 2", Some((vec![("__name__", "x")], 1.0, None))),
            ("x 1 5 # {trace=\"a\"} 2 6", Some((vec![("__name__", "x")], 1.0, Some(5)))),
            ("x{a=\"\\d\"} 1", Some((vec![("__name__", "x"), ("a", "\\d")], 1.0, None))),
            ("x{a=\"}\"} 1\r", Some((vec![("__name__", "x"), ("a", "}")], 1.0, None))),
            ("# TYPE up gauge", None),
            ("  ", None),
            ("", None),
        ] {
            let expected = expected.map(|(labels, value, timestamp_ms)| Line {
                labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
                value,
                timestamp_ms,
            });
            assert_eq!(line(text), Ok(expected), "{text}");
        }
        let bits = |text: &str| line(text).unwrap().unwrap().value.to_bits();
        assert_eq!(bits("x StaleNaN"), STALE_NAN);
        assert_eq!(bits("x nan"), NORMAL_NAN);
        assert_eq!(bits("x -0"), (-0.0f64).to_bits());
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, at) in [
            ("= 1", 0),
            ("up", 2),
            ("up x", 3),
            ("up 1e999", 3),
            ("up -NaN", 3),
            ("up 1 1.5", 5),
            ("up 1 2 3", 7),
            ("up{a} 1", 4),
            ("up{a=1} 1", 5),
            ("up{a=\"1} 1", 5),
            ("up{a=\"1\" b=\"2\"} 1", 9),
            ("up{=\"1\"} 1", 3),
        ] {
            assert_eq!(line(text).unwrap_err().at, at, "{text}");
        }
    }
}
