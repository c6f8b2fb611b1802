//! Who may ask for what.

use std::net::IpAddr;

use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};

use super::report;
use crate::access::{AdminAccess, Challenge};
use crate::clock::LogInterval;
use crate::config::Role;
use crate::telemetry::AdminMetrics;

/// Lines about requests that are refused.
static REFUSED: LogInterval = LogInterval::new();

/// Why a request is not answered as asked.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What credentials there may be, with 401.
    pub(super) challenge: Option<Challenge>,
    pub(super) text: &'static str,
}

/// What is needed for a request; `None`: it is for everybody. Probes have no credentials. Whatever is no GET changes something,
/// but for the reports that are asked for with a form.
fn needed(method: &Method, path: &str) -> Option<Role> {
    let is_get = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/-/healthy" | "/-/ready" if is_get => None,
        _ if is_get || report::path(path).is_some_and(report::takes_post) => Some(Role::Read),
        _ => Some(Role::Change),
    }
}

/// Lets a request pass, or says why not.
pub(super) fn check(
    access: &AdminAccess,
    metrics: &AdminMetrics,
    peer: IpAddr,
    (method, path): (&Method, &str),
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let users = access.users();
    let (Some(users), Some(needed)) = (&*users, needed(method, path)) else { return Ok(()) };
    let refusal = match users.grant(headers) {
        Some(role) if *role >= needed => return Ok(()),
        Some(_) => {
            metrics.forbidden.increment(1);
            let text = "these credentials may read and not change (role in admin.auth)\n";
            Refusal { status: StatusCode::FORBIDDEN, challenge: None, text }
        }
        None => {
            metrics.unauthorized.increment(1);
            let text = "who asks has to say so, and these are not the credentials of a user (admin.auth)\n";
            Refusal { status: StatusCode::UNAUTHORIZED, challenge: Some(users.challenge()), text }
        }
    };
    if let Some(others) = REFUSED.turn(crate::clock::monotonic()) {
        let status = refusal.status.as_u16();
        let sender = peer.to_string();
        tracing::warn!(
            sender,
            status,
            others,
            "request to the admin port refused: {}",
            refusal.text.trim_end()
        );
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_needs_more_than_what_shows_it() {
        let (read, change) = (Some(Role::Read), Some(Role::Change));
        for (method, path, role) in [
            (Method::GET, "/-/healthy", None),
            (Method::HEAD, "/-/ready", None),
            (Method::POST, "/-/ready", change),
            (Method::POST, "/api/v1/churn", change),
            (Method::POST, "/-/whatever", change),
            (Method::GET, "/metrics", read),
            (Method::GET, "/", read),
            (Method::GET, "/none", read),
            (Method::POST, "/prometheus/api/v1/cardinality/label_names", read),
            (Method::GET, "/-/bypass", read),
            (Method::POST, "/-/bypass", change),
            (Method::PUT, "/-/reload", change),
        ] {
            assert_eq!(needed(&method, path), role, "{method} {path}");
        }
        assert!(Role::Change > Role::Read);
    }
}
