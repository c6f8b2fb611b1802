//! docs/metrics.md lists the metrics that are exported, no more and no fewer.

use std::path::Path;

use seriesgate::telemetry::{ALL, Kind};

#[test]
fn the_table_in_the_docs_is_the_table_in_the_code() {
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let documented: Vec<String> = docs
        .lines()
        .filter(|line| line.starts_with("| `seriesgate_") || line.starts_with("| `process_"))
        .map(|line| line.split('|').take(4).map(str::trim).collect::<Vec<_>>().join("|"))
        .collect();
    let exported: Vec<String> = ALL
        .iter()
        .map(|metric| {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!("|`{}`|{kind}|{}", metric.name, labels.join(", "))
        })
        .collect();
    assert_eq!(documented, exported);
}
