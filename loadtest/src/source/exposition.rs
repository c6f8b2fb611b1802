//! Reads what a `/metrics` page says: the text format of Prometheus, as far as a template needs it.

use ahash::HashMap;
use anyhow::{Context, Result};

use super::template::TemplateSeries;
use crate::law::Kind;
use crate::selector::quoted;

/// The series of a page. Values that are no numbers and lines that are no series are refused with their line's number;
/// timestamps are left out.
pub fn parse(text: &str) -> Result<Vec<TemplateSeries>> {
    let mut kinds: HashMap<String, Kind> = HashMap::default();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_ascii_whitespace();
            if let (Some("TYPE"), Some(name), Some(kind)) = (words.next(), words.next(), words.next()) {
                let counts = matches!(kind, "counter" | "histogram" | "summary");
                kinds.insert(name.to_owned(), if counts { Kind::Counter } else { Kind::Gauge });
            }
        } else if !line.is_empty() {
            found.push(series(line, &kinds).with_context(|| format!("line {number}: {line}"))?);
        }
    }
    Ok(found)
}

fn series(line: &str, kinds: &HashMap<String, Kind>) -> Result<TemplateSeries> {
    let end = line.find(['{', ' ', '\t']).context("no value")?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = vec![("__name__".to_owned(), name.to_owned())];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = read_labels(inside, &mut labels)?;
    }
    labels.retain(|label| !label.1.is_empty());
    labels.sort();
    let value = rest.split_ascii_whitespace().next().context("no value")?;
    let value: f64 = value.parse().with_context(|| format!("{value:?} is no number"))?;
    Ok(TemplateSeries { kind: kind_of(name, labels.iter().any(|l| l.0 == "quantile"), kinds), labels, value })
}

/// What `# TYPE` says of the metric or of its family; else what the name says.
fn kind_of(name: &str, quantile: bool, kinds: &HashMap<String, Kind>) -> Kind {
    let family = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
    let said = kinds.get(name).or_else(|| kinds.get(family?));
    match said {
        // the quantiles of a summary go up and down
        _ if quantile => Kind::Gauge,
        Some(kind) => *kind,
        None if super::is_counter_name(name) => Kind::Counter,
        None => Kind::Gauge,
    }
}

/// Reads labels up to the closing bracket, and returns what is behind it.
fn read_labels<'a>(mut rest: &'a str, labels: &mut Vec<(String, String)>) -> Result<&'a str> {
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok(behind);
        }
        let (name, behind) = rest.split_once('=').context("a label without a value")?;
        let (value, behind) = quoted(behind.trim_start())?;
        labels.push((name.trim().to_owned(), value));
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_labels_and_escapes() {
        let text = "# TYPE up gauge\nup 1\n# TYPE h histogram\nh_bucket{le=\"+Inf\",b=\"x\\\"y\\n\",} 7 1700\nh_sum 2.5\nz_total 3\n";
        let found = parse(text).unwrap();
        let kinds: Vec<Kind> = found.iter().map(|series| series.kind).collect();
        assert_eq!(kinds, [Kind::Gauge, Kind::Counter, Kind::Counter, Kind::Counter]);
        let names: Vec<&str> = found[1].labels.iter().map(|label| label.0.as_str()).collect();
        assert_eq!(names, ["__name__", "b", "le"]);
        assert_eq!(found[1].labels[1].1, "x\"y\n");
        assert_eq!((found[1].value, found[2].value), (7.0, 2.5));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = format!("{:#}", parse("up 1\nup{a=\"b} 1\n").unwrap_err());
        assert!(error.contains("line 2"), "{error}");
        assert!(parse("up x\n").is_err());
    }
}
