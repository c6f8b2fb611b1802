//! Prometheus' text format, for what the exporter does not write: histograms, and numbers of the machine.

use std::fmt::Write;

use super::names::{Kind, Metric};

/// Names and values of a series' labels.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Appends what stands before the series of a metric.
pub(super) fn head(out: &mut String, metric: &Metric) {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let Metric { name, help, .. } = metric;
    // a `String` takes all that is written to it
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
}

/// Labels in their braces, and the bound of a bucket behind them; nothing where there are none.
pub(super) fn labels<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>, bound: Option<&'l str>) -> String {
    let mut out = String::new();
    for (name, value) in labels.chain(bound.map(|bound| ("le", bound))) {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(name);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if !out.is_empty() {
        out.push('}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_quotes() {
        let odd = [("upstream", "a\"b\\c\nd"), ("code", "2xx")];
        assert_eq!(labels(odd.into_iter(), Some("1")), r#"{upstream="a\"b\\c\nd",code="2xx",le="1"}"#);
        assert_eq!(labels([].into_iter(), None), "");
    }

    #[test]
    fn help_is_one_line_without_escapes() {
        for metric in super::super::names::ALL {
            assert!(!metric.help.contains(['\n', '\\']), "{}", metric.name);
        }
    }
}
