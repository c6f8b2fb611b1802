//! `/api/v1/policies`: what each policy did so far, with examples.

use jiff::Timestamp;
use serde::Serialize;

use crate::policy::Summary;
use crate::series::quote;
use crate::telemetry::Statement;

/// The whole answer.
#[derive(Debug, Serialize)]
struct Report<'r> {
    /// Whether all policies are previews by `POST /-/bypass`.
    bypassed: bool,
    /// Names of policies that have matched nothing since the start, or since they came into the config.
    never_matched: Vec<&'r str>,
    /// All of them, in the order of the config.
    policies: Vec<Row<'r>>,
}

#[derive(Debug, Serialize)]
struct Row<'r> {
    name: &'r str,
    action: &'static str,
    mode: &'static str,
    /// Samples and native histograms that matched, and those of them that went on.
    samples_in: u64,
    samples_out: u64,
    /// Active series kept from the upstream; up to 16 seconds old.
    saved_series: u64,
    /// RFC 3339.
    last_matched: Option<String>,
    examples: Vec<Shown<'r>>,
}

/// A series that the policy dropped or rewrote, in preview would have.
#[derive(Debug, Serialize)]
struct Shown<'r> {
    /// When it was decided, RFC 3339.
    at: String,
    effect: &'static str,
    series: &'r str,
    /// As it was sent after all policies, where that is under other labels.
    output: Option<&'r str>,
}

/// The answer as JSON.
pub(crate) fn report(bypassed: bool, policies: &[(Summary, Statement)]) -> String {
    let rows: Vec<Row<'_>> = policies.iter().map(|(summary, statement)| row(summary, statement)).collect();
    let never = rows.iter().filter(|row| row.last_matched.is_none()).map(|row| row.name).collect();
    let report = Report { bypassed, never_matched: never, policies: rows };
    quote::json(serde_json::to_string(&report).unwrap_or_default())
}

fn row<'r>(summary: &'r Summary, statement: &'r Statement) -> Row<'r> {
    let examples = statement.examples.iter().rev().map(|(at, example)| Shown {
        at: time(*at),
        effect: example.effect.as_str(),
        series: &example.input,
        output: example.output.as_deref(),
    });
    Row {
        name: &summary.name,
        action: summary.action.as_str(),
        mode: summary.mode.as_str(),
        samples_in: statement.samples_in,
        samples_out: statement.samples_out,
        saved_series: statement.saved_series,
        last_matched: statement.last_matched.map(time),
        examples: examples.collect(),
    }
}

fn time(unix_seconds: u32) -> String {
    Timestamp::from_second(i64::from(unix_seconds)).map(|at| at.to_string()).unwrap_or_default()
}
