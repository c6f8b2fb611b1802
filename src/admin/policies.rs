//! `/api/v1/policies`: what each policy did so far, with examples.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::admission::{GroupUsage, Usage};
use crate::policy::{Limit, Summary};
use crate::series::quote;
use crate::telemetry::Statement;

/// What is known of one policy.
pub(crate) struct Told {
    pub(crate) policy: Summary,
    pub(crate) statement: Statement,
    /// What it says and what it holds, where it limits.
    pub(crate) limit: Option<(Arc<Limit>, Usage)>,
}

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
    /// Those of them that a limit did not admit: held back, and added up.
    samples_held: u64,
    samples_folded: u64,
    /// Active series kept from the upstream; up to 16 seconds old.
    saved_series: u64,
    /// RFC 3339.
    last_matched: Option<String>,
    /// What a limit says, and what it holds now; null where the policy does something else.
    limit: Option<LimitRow<'r>>,
    examples: Vec<Shown<'r>>,
}

#[derive(Debug, Serialize)]
struct LimitRow<'r> {
    by: &'r [String],
    max_series: Option<u32>,
    max_new_per_hour: Option<u32>,
    /// Series admitted.
    series: u64,
    groups: u64,
    /// Groups at `warn_at` or above, and groups that are full.
    groups_near: u64,
    groups_full: u64,
    /// How often nothing could be remembered of a series, so that it was not admitted.
    without_room: u64,
    bytes: u64,
    fullest: Vec<GroupRow<'r>>,
}

#[derive(Debug, Serialize)]
struct GroupRow<'r> {
    tenant: &'r str,
    /// The labels that make it; empty where all is one group.
    group: &'r str,
    state: &'static str,
    series: u32,
    new_last_hour: u32,
    /// How often a series asked in vain.
    refused: u64,
}

/// A series that the policy dropped, held back or rewrote, in preview would have.
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
pub(crate) fn report(bypassed: bool, policies: &[Told]) -> String {
    let rows: Vec<Row<'_>> = policies.iter().map(row).collect();
    let never = rows.iter().filter(|row| row.last_matched.is_none()).map(|row| row.name).collect();
    let report = Report { bypassed, never_matched: never, policies: rows };
    quote::json(serde_json::to_string(&report).unwrap_or_default())
}

fn row(told: &Told) -> Row<'_> {
    let Told { policy: summary, statement, limit } = told;
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
        samples_held: statement.samples_held,
        samples_folded: statement.samples_folded,
        saved_series: statement.saved_series,
        last_matched: statement.last_matched.map(time),
        limit: limit.as_ref().map(|(limit, usage)| limit_row(limit, usage)),
        examples: examples.collect(),
    }
}

fn limit_row<'r>(limit: &'r Limit, usage: &'r Usage) -> LimitRow<'r> {
    let group = |group: &'r GroupUsage| GroupRow {
        tenant: &group.name.tenant,
        group: &group.name.labels,
        state: group.fullness.as_str(),
        series: group.admitted,
        new_last_hour: group.new_last_hour,
        refused: group.refused,
    };
    LimitRow {
        by: &limit.by,
        max_series: limit.max_series,
        max_new_per_hour: limit.max_new_per_hour,
        series: usage.admitted,
        groups: usage.groups,
        groups_near: usage.near,
        groups_full: usage.full,
        without_room: usage.without_room,
        bytes: usage.bytes,
        fullest: usage.fullest.iter().map(group).collect(),
    }
}

fn time(unix_seconds: u32) -> String {
    Timestamp::from_second(i64::from(unix_seconds)).map(|at| at.to_string()).unwrap_or_default()
}
