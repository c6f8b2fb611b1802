//! Results as a page that needs nothing else: no script, no font, no network.

use crate::plot::{Plot, escaped};
use crate::run::{Outcome, Point};

const STYLE: &str = "
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
pre { background: #f5f6f7; padding: .8rem 1rem; overflow: auto; font-size: 13px }
.bad pre { background: #fdecec }
table { border-collapse: collapse } td, th { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child { text-align: left }
.plots { display: flex; flex-wrap: wrap; gap: .6rem } svg { max-width: 100%; height: auto }
";

/// A page of a title and parts that are HTML already.
pub fn page(title: &str, parts: &[String]) -> String {
    let (title, body) = (escaped(title), parts.join("\n"));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )
}

/// Preformatted text.
pub fn text(text: &str) -> String {
    format!("<pre>{}</pre>", escaped(text))
}

/// Plots side by side.
pub fn plots(plots: &[Plot]) -> String {
    let svg: Vec<String> = plots.iter().map(Plot::svg).collect();
    format!("<div class=\"plots\">{}</div>", svg.join("\n"))
}

/// A table: a head, and rows.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let row = |tag: &str, cells: Vec<&str>| {
        let cells: Vec<String> =
            cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{}</tr>\n", cells.concat())
    };
    let rows: Vec<String> =
        rows.iter().map(|cells| row("td", cells.iter().map(String::as_str).collect())).collect();
    format!("<table>{}{}</table>", row("th", head.to_vec()), rows.concat())
}

/// The same table as Markdown has it.
pub fn markdown(head: &[&str], rows: &[Vec<String>]) -> String {
    let rule = vec!["---"; head.len()].join("|");
    let rows: Vec<String> = rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    format!("| {} |\n|{rule}|\n{}", head.join(" | "), rows.concat())
}

/// The page of one run, or of several of the same scenario, side by side in the same scale.
pub fn of_runs(outcomes: &[Outcome]) -> String {
    of_runs_with(&[], outcomes)
}

/// The same below something else.
pub fn of_runs_with(above: &[String], outcomes: &[Outcome]) -> String {
    let title = outcomes.first().map_or("no runs", |outcome| outcome.scenario.as_str());
    let mut parts = above.to_vec();
    parts.extend(outcomes.iter().map(summary));
    let columns = plots_in_one_scale(outcomes);
    let rows = columns.first().map_or(0, Vec::len);
    if let [one] = &columns[..] {
        parts.push(plots(one));
    } else {
        for row in 0..rows {
            let side_by_side: Vec<String> = columns.iter().map(|plots| plots[row].svg()).collect();
            parts.push(format!("<div class=\"plots\">{}</div>", side_by_side.join("\n")));
        }
    }
    page(&format!("seriesgate-loadtest: {title}"), &parts)
}

/// The plots of each run; those of the same thing go to the same height.
pub fn plots_in_one_scale(outcomes: &[Outcome]) -> Vec<Vec<Plot>> {
    // what tells the runs apart
    let same = outcomes.windows(2).all(|pair| pair[0].variant == pair[1].variant);
    let told = |outcome: &Outcome| if same { outcome.proxy.clone() } else { outcome.variant.clone() };
    let mut columns: Vec<Vec<Plot>> =
        outcomes.iter().map(|outcome| plots_of(outcome, &told(outcome))).collect();
    for row in 0..columns.first().map_or(0, Vec::len) {
        let top = columns.iter().map(|plots| plots[row].highest()).fold(0.0, f64::max);
        columns.iter_mut().for_each(|plots| plots[row].top = Some(top));
    }
    columns
}

fn summary(outcome: &Outcome) -> String {
    let good = outcome.is_clean() && outcome.headroom.limit.is_none();
    format!("<div class=\"{}\">{}</div>", if good { "good" } else { "bad" }, text(&outcome.to_string()))
}

/// What a run looked like over time, under a name.
fn plots_of(outcome: &Outcome, name: &str) -> Vec<Plot> {
    let over = |value: fn(&Point) -> f64| {
        // the last second may be a short one
        let whole = &outcome.points[..outcome.points.len().saturating_sub(1)];
        whole.iter().map(|point| (point.second.at_s, value(point))).collect::<Vec<_>>()
    };
    let plot = |what: &str| Plot::new(&format!("{what} ({name})"), "seconds since the first request was due");
    vec![
        plot("Samples/s")
            .line("arrived", over(|p| p.arrived as f64))
            .line("accepted", over(|p| p.second.accepted as f64))
            .line("offered", over(|p| p.second.offered as f64)),
        plot("Series that have arrived").line("series", over(|p| p.series as f64)),
        plot("Bytes/s to the backend").line("bytes", over(|p| p.arrived_bytes as f64)),
        plot("Latency, ms")
            .line("max", over(|p| p.second.latency.max_ms))
            .line("p99", over(|p| p.second.latency.p99_ms))
            .line("p50", over(|p| p.second.latency.p50_ms)),
        plot("Cores used by the proxy").line("cores", over(|p| p.cpu_share)),
        plot("Memory of the proxy, MiB").line("resident", over(|p| p.rss_kib as f64 / 1024.0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_nothing_from_anywhere() {
        let table = table(&["a", "b"], &[vec!["1 < 2".into(), "x & y".into()]]);
        let plot = Plot::new("p", "s").line("l", [(0.0, 1.0), (1.0, 2.0)]);
        let page = page("t <1>", &[table, text("<b>"), plots(&[plot])]);
        for foreign in ["<script", "<link", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(
            page.contains("1 &lt; 2")
                && page.contains("<pre>&lt;b&gt;</pre>")
                && page.contains("<title>t &lt;1&gt;")
        );
    }
}
