//! Who sends a request, where the port asks for that, and what it decides.

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::http::request::Parts;

use super::negotiate::Names;
use super::refusal::Refusal;
use crate::access::WriteAccess;

/// A request that may write.
pub(super) struct Entry {
    /// Whether credentials were asked for. They were for us, and go no further.
    was_asked: bool,
    /// The tenant that its sender writes as, whatever the request says.
    bound: Option<String>,
}

impl Entry {
    /// Lets a request in, or not.
    pub(super) fn of(access: &WriteAccess, headers: &HeaderMap) -> Result<Self, Refusal> {
        let users = access.users();
        let Some(users) = &*users else { return Ok(Self { was_asked: false, bound: None }) };
        match users.grant(headers) {
            Some(bound) => Ok(Self { was_asked: true, bound: bound.clone() }),
            None => Err(Refusal::unauthorized(users.challenge())),
        }
    }

    /// The tenant of a request. One that would land somewhere else than its sender is bound to is refused.
    pub(super) fn tenant(&self, names: &Names, parts: &Parts) -> Result<String, Refusal> {
        let named = names.tenant(&parts.headers)?;
        let Some(bound) = &self.bound else { return Ok(named) };
        let what = if !named.is_empty() && named != *bound {
            format!("the header {} names another", names.tenant_header())
        } else if let Some(name) = names.other_scope(&parts.headers) {
            format!("the header {name} may name another")
        } else if parts.uri.query().is_some_and(|query| !query.is_empty()) {
            "the query may name another".to_owned()
        } else {
            return Ok(bound.clone());
        };
        Err(Refusal::forbidden(format!("these credentials write as one tenant (listen.auth), and {what}")))
    }

    /// The headers that may go upstream, of a request of `tenant`.
    pub(super) fn forwarded(&self, names: &Names, headers: &HeaderMap, tenant: &str) -> HeaderMap {
        let mut kept = names.forwarded(headers);
        if self.was_asked {
            kept.remove(AUTHORIZATION);
        }
        if self.bound.is_some()
            && let Ok(value) = HeaderValue::from_bytes(tenant.as_bytes())
        {
            kept.insert(names.tenant_header().clone(), value);
        }
        kept
    }
}
