//! Bounds of buckets and quantiles: numbers that labels hold as text. They are compared as numbers and go out in one
//! spelling, the one that Prometheus 3 gives them when it scrapes (OpenMetrics' floats: `1.0`, `1e+06`, `+Inf`).

use crate::series::Labels;

/// What a series' group writes otherwise than the series does.
#[derive(Debug, Default)]
pub struct Spelling {
    le: Option<String>,
    quantile: Option<String>,
}

impl Spelling {
    /// For the group of a series. Only what is a bound is touched: other metrics may call anything `le`.
    pub fn of(labels: Labels<'_>) -> Self {
        // recorded ones have `_bucket` inside their names
        let bucket = labels.metric().contains("_bucket");
        let is_quantile = |number: &f64| (0.0..=1.0).contains(number);
        Self {
            le: number(labels.get("le")).filter(|_| bucket).map(spelled),
            quantile: number(labels.get("quantile")).filter(is_quantile).map(spelled),
        }
    }

    /// The value of a label as the group has it.
    pub(super) fn of_label<'l>(&'l self, name: &str, value: &'l str) -> &'l str {
        let spelled = match name {
            "le" => &self.le,
            "quantile" => &self.quantile,
            _ => &None,
        };
        spelled.as_deref().unwrap_or(value)
    }
}

/// The number that a bound is, if it is one.
pub fn number(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok().filter(|number: &f64| !number.is_nan())?;
    // what is too large for a float is no infinity
    let said = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    (number.is_finite() || said).then_some(number)
}

/// A value that somebody asks for, as groups have it; `None` where they have it as it is.
pub fn respelled(label: &str, value: &str) -> Option<String> {
    let number = number(value).filter(|_| matches!(label, "le" | "quantile"))?;
    Some(spelled(number)).filter(|spelled| spelled != value)
}

/// How else agents write a finite bound: as Prometheus 3 does, and as clients show it, which older agents leave as it is.
pub fn other_spellings(le: &str) -> Vec<String> {
    let Some(number) = number(le).filter(|number| number.is_finite()) else { return Vec::new() };
    let plain = number.to_string();
    let whole = (!plain.contains('.')).then(|| format!("{plain}.0"));
    let mut all: Vec<String> = [spelled(number), plain].into_iter().chain(whole).collect();
    all.dedup();
    all.retain(|other| other != le);
    all
}

/// Whether two values of a label are one.
pub(super) fn same(name: &str, a: &str, b: &str) -> bool {
    let equal = || number(a).zip(number(b)).is_some_and(|(a, b)| a == b);
    a == b || (matches!(name, "le" | "quantile") && equal())
}

/// As Prometheus 3 writes it.
fn spelled(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // -0 is 0
    let number = if number == 0.0 { 0.0 } else { number };
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = number.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_has_one_spelling() {
        for (spellings, expected) in [
            (&["1", "1.0", "1e0", "+1", "01", "1.", "1E+0"][..], "1.0"),
            (&["0", "0.0", "-0", "0e5"], "0.0"),
            (&[".5", "0.5", "5e-1", "0.50"], "0.5"),
            (&["+Inf", "inf", "Inf", "+inf", "INF", "infinity"], "+Inf"),
            (&["-Inf", "-inf"], "-Inf"),
            (&["100000", "1e5"], "100000.0"),
            (&["1000000", "1e6", "1e+06"], "1e+06"),
            (&["1234567.5"], "1.2345675e+06"),
            (&["0.0001"], "0.0001"),
            (&["0.00001", "1e-5"], "1e-05"),
            (&["1e100"], "1e+100"),
            (&["-2.50"], "-2.5"),
            (&["0.005"], "0.005"),
        ] {
            for text in spellings {
                assert_eq!(number(text).map(spelled).as_deref(), Some(expected), "{text}");
            }
        }
        for text in ["", "NaN", "nan", "1e400", "0x1p-2", "1 ", "one", "1,5"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn only_bounds_are_written_anew() {
        let spelling = |metric, label, value| {
            let mut labels = [("__name__", metric), (label, value)];
            labels.sort_unstable();
            Spelling::of(Labels::from_sorted(&labels)).of_label(label, value).to_owned()
        };
        assert_eq!(spelling("x_bucket", "le", "1"), "1.0");
        assert_eq!(spelling("job:x_bucket:rate5m", "le", "1"), "1.0");
        assert_eq!(spelling("shelves", "le", "01"), "01");
        assert_eq!(spelling("x_bucket", "le", "low"), "low");
        assert_eq!(spelling("x", "quantile", "0.990"), "0.99");
        assert_eq!(spelling("x", "quantile", "7"), "7");
        assert_eq!(spelling("x_bucket", "lf", "1"), "1");
    }

    #[test]
    fn bounds_are_compared_as_numbers_and_nothing_else_is() {
        assert!(same("le", "1", "1.0") && same("quantile", ".5", "0.5"));
        assert!(!same("le", "1", "2") && !same("le", "1", "") && !same("replica", "1", "1.0"));
    }
}
