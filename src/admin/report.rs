//! The cardinality report as JSON: in the shapes of Prometheus, VictoriaMetrics and Mimir, and in our own.
//!
//! `docs/api.md` says what each field means. Answers are made from copies of the counts; intake never waits for one.

mod churn;
mod finding;
mod mimir;
mod query;
mod rejected;
mod remedy;
mod trial;
mod tried;
mod tsdb;
mod workloads;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde::Serialize;

use self::query::Query;
pub use self::rejected::Rejected;
use crate::aggregate::Types;
use crate::cardinality::Tracker;
use crate::policy::Summary;
use crate::series::{Scope, quote};

/// What a report is made from.
pub struct View<'a> {
    /// The counts.
    pub tracker: &'a Tracker,
    /// What is known of the types of metrics.
    pub types: Option<&'a Types>,
    /// The texts of their scopes, by number.
    pub tenants: Vec<String>,
    /// The policies that there are.
    pub policies: Vec<Summary>,
    /// What was refused lately, newest first.
    pub rejected: Vec<Rejected>,
    /// Whether not everything was counted within the last hour, for want of room or memory.
    pub incomplete: bool,
    /// Unix seconds.
    pub now: u32,
}

impl View<'_> {
    /// What the admin port answers to a report's path and query.
    pub fn json(&self, path: &str, query: &str) -> String {
        answer(self, &Asked { path, query, body: b"", tenant: None }).1
    }
}

/// What was asked, where the path is a report's.
pub(super) struct Asked<'r> {
    pub(super) path: &'r str,
    pub(super) query: &'r str,
    /// Urlencoded, of a POST.
    pub(super) body: &'r [u8],
    /// The tenant header's value.
    pub(super) tenant: Option<&'r str>,
}

/// A bad request, with the reason.
type Refused = String;

/// The paths of reports, without Mimir's and Prometheus' prefix.
const PATHS: [&str; 6] = [
    "/api/v1/status/tsdb",
    "/api/v1/cardinality/label_names",
    "/api/v1/cardinality/label_values",
    "/api/v1/churn",
    "/api/v1/workloads",
    "/api/v1/rejected",
];

/// The path without `/prometheus` before it, if it is a report's.
pub(super) fn path(path: &str) -> Option<&'static str> {
    let path = path.strip_prefix("/prometheus").unwrap_or(path);
    PATHS.into_iter().find(|known| *known == path)
}

/// Whether a report may be asked for by POST: only what Mimir serves so.
pub(super) fn takes_post(path: &str) -> bool {
    path.starts_with("/api/v1/cardinality/")
}

/// The answer: status and JSON.
pub(super) fn answer(view: &View<'_>, asked: &Asked<'_>) -> (StatusCode, String) {
    let query = Query::parse(asked);
    let report = Report { view, tenant: Tenant::find(view, &query) };
    let answer = match asked.path {
        "/api/v1/status/tsdb" => tsdb::answer(&report, &query),
        "/api/v1/cardinality/label_names" => mimir::label_names(&report, &query),
        "/api/v1/cardinality/label_values" => mimir::label_values(&report, &query),
        "/api/v1/churn" => churn::answer(&report, &query),
        "/api/v1/rejected" => rejected::answer(&report, &query),
        _ => workloads::answer(&report, &query),
    };
    match answer {
        Ok(json) => (StatusCode::OK, json),
        Err(reason) => (StatusCode::BAD_REQUEST, json(&Failure::new(&reason))),
    }
}

/// An error in Prometheus' shape.
#[derive(Debug, Serialize)]
struct Failure<'r> {
    status: &'static str,
    #[serde(rename = "errorType")]
    error_type: &'static str,
    error: &'r str,
}

impl<'r> Failure<'r> {
    fn new(error: &'r str) -> Self {
        Self { status: "error", error_type: "bad_data", error }
    }
}

/// Whose series a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tenant {
    /// All of them, added up by name.
    All,
    /// One: the numbers of its scopes, none where it has never sent anything.
    One(BTreeSet<u32>),
}

impl Tenant {
    fn find(view: &View<'_>, query: &Query) -> Self {
        query.tenant().map_or(Self::All, |name| {
            let own = (0..).zip(&view.tenants).filter(|(_, text)| Scope::of(text).tenant == name);
            Self::One(own.map(|(number, _)| number).collect())
        })
    }
}

/// Whose a line is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct LineScope {
    tenant: String,
    /// What else decides where its data lands.
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
}

struct Report<'a> {
    view: &'a View<'a>,
    tenant: Tenant,
}

impl Report<'_> {
    /// Whether a line belongs to whom the report is about.
    fn covers(&self, tenant: u32) -> bool {
        match &self.tenant {
            Tenant::All => true,
            Tenant::One(numbers) => numbers.contains(&tenant),
        }
    }

    fn line_scope(&self, tenant: u32) -> LineScope {
        let scope = Scope::of(self.view.tenants.get(tenant as usize).map_or("", String::as_str));
        LineScope { tenant: scope.tenant.to_owned(), scope: scope.shown() }
    }
}

fn json(value: &impl Serialize) -> String {
    quote::json(serde_json::to_string(value).unwrap_or_default())
}

fn time(unix_seconds: u32) -> String {
    jiff::Timestamp::from_second(i64::from(unix_seconds)).map(|at| at.to_string()).unwrap_or_default()
}

/// Two decimals: more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
