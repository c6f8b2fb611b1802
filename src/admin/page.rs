//! The page at `/`: what this port serves, and the state of the gate in one line.

/// HTML of the index page.
pub(super) fn index(status: &str, active_series: usize) -> String {
    let row = |method: &str, path: &str, what: &str| {
        let link = if method == "GET" { format!("<a href=\"{path}\">{path}</a>") } else { path.to_owned() };
        format!("<tr><td>{method}</td><td>{link}</td><td>{what}</td></tr>\n")
    };
    let rows = [
        row("GET", "/metrics", "metrics of this gate, Prometheus text format"),
        row(
            "GET",
            "/api/v1/policies",
            "what each policy did, and the last series it dropped or rewrote (JSON)",
        ),
        row("GET", "/api/v1/churn", "what multiplies series, worst first, and new series by metric (JSON)"),
        row("GET", "/api/v1/workloads", "every workload with its series and runs (JSON)"),
        row("GET", "/api/v1/rejected", "what was refused lately, and who sent it (JSON)"),
        row("GET", "/api/v1/status/tsdb", "the cardinality report in Prometheus' shape (JSON)"),
        row("GET", "/-/healthy", "whether every internal loop runs"),
        row("GET", "/-/ready", "whether the gate wants traffic"),
        row("POST", "/-/reload", "read the config file again"),
        row("POST", "/-/bypass?on=true", "turn all policies into previews (on=false: back)"),
    ]
    .concat();
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>seriesgate</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
         color:#1c2733;background:#fff}}table{{border-collapse:collapse;width:100%}}\
         td{{padding:.35rem .8rem .35rem 0;border-bottom:1px solid #d8dee4}}\
         td:first-child{{font-family:monospace;color:#57606a}}</style>\n\
         <h1>seriesgate {version}</h1>\n<p>Status: <strong>{status}</strong>. \
         Active series: <strong>{active_series}</strong>.</p>\n<table>\n{rows}</table>\n</html>\n",
        version = crate::version::FULL,
    )
}
