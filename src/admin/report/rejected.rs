//! `/api/v1/rejected`: what was refused lately, newest first.

use std::net::IpAddr;

use serde::Serialize;

use super::query::Query;
use super::{Refused, Report, json, time};

/// Requests alike that were refused, or of which something was, by the gate or by the upstream. Its texts are short and print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// When the last one came, and the first, Unix seconds.
    pub last: u32,
    /// See `last`.
    pub first: u32,
    /// How many there were.
    pub times: u64,
    /// Whose data it was.
    pub tenant: String,
    /// Who sent it, where that is known.
    pub sender: Option<IpAddr>,
    /// What the sender calls itself; may be empty.
    pub user_agent: String,
    /// The first series that was refused, where it was one and has a name.
    pub metric: Option<String>,
    /// The names of its labels, the first few.
    pub labels: Vec<String>,
    /// The label that is the reason, where it is one.
    pub label: Option<String>,
    /// As the metrics have it.
    pub reason: &'static str,
    /// What is wrong with the last one.
    pub message: String,
    /// What its sender was answered.
    pub status: u16,
}

impl Rejected {
    /// Whether these are the same but for when and how often.
    pub fn is_like(&self, other: &Self) -> bool {
        fn key(of: &Rejected) -> (&str, Option<IpAddr>, &str, Option<&str>, Option<&str>, &str) {
            let Rejected { tenant, sender, user_agent, metric, label, reason, .. } = of;
            (tenant, *sender, user_agent, metric.as_deref(), label.as_deref(), reason)
        }
        key(self) == key(other)
    }
}

#[derive(Debug, Serialize)]
struct Answer {
    at: String,
    rows_total: usize,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    at: String,
    first_at: String,
    times: u64,
    tenant: String,
    sender: Option<IpAddr>,
    user_agent: String,
    metric: Option<String>,
    labels: Vec<String>,
    label: Option<String>,
    reason: &'static str,
    message: String,
    status: u16,
}

pub(super) fn answer(report: &Report<'_>, query: &Query) -> Result<String, Refused> {
    let limit = query.number("limit", 20, (1, 10_000))?;
    let tenant = query.tenant();
    let mut all: Vec<&Rejected> = report.view.rejected.iter().collect();
    all.retain(|one| tenant.as_ref().is_none_or(|tenant| *tenant == one.tenant));
    let answer = Answer {
        at: time(report.view.now),
        rows_total: all.len(),
        rows: all.into_iter().take(limit).map(row).collect(),
    };
    Ok(json(&answer))
}

fn row(of: &Rejected) -> Row {
    let of = of.clone();
    Row {
        at: time(of.last),
        first_at: time(of.first),
        times: of.times,
        tenant: of.tenant,
        sender: of.sender,
        user_agent: of.user_agent,
        metric: of.metric,
        labels: of.labels,
        label: of.label,
        reason: of.reason,
        message: of.message,
        status: of.status,
    }
}
