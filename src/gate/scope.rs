//! The scope of a request, from its headers and its query string, and back to them.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::pool::Pool;
use crate::egress::Client;
use crate::intake::Inbound;
use crate::series::Scope;
use crate::series::scope::{self, HEADERS};

/// Longer texts are not kept for the next request.
const LARGEST_TEXT_BYTES: usize = 64 << 10;

/// Which headers make a scope.
pub(super) struct Scopes {
    /// The tenant header; `None` where the config names none that can be.
    tenant: Option<HeaderName>,
    /// The others.
    others: Vec<HeaderName>,
    texts: Pool<String>,
}

impl Scopes {
    pub(super) fn new(tenant_header: &str) -> Self {
        let tenant = HeaderName::from_bytes(tenant_header.as_bytes()).ok();
        let mut others: Vec<HeaderName> = HEADERS.map(HeaderName::from_static).into();
        others.retain(|name| Some(name) != tenant.as_ref());
        Self { tenant, others, texts: Pool::new(LARGEST_TEXT_BYTES) }
    }

    /// Lets go of what no request uses now.
    pub(super) fn let_go(&self) {
        self.texts.clear();
    }

    /// Shows `then` the scope of a request. What the upstream's own headers replace decides nothing, so it is no part.
    pub(super) fn with<T>(&self, inbound: &Inbound, upstream: &Client, then: impl FnOnce(&str) -> T) -> T {
        let replaced = self.tenant.as_ref().is_some_and(|name| upstream.sets(name));
        let tenant = if replaced { "" } else { inbound.tenant.as_str() };
        let mut text = self.texts.take();
        text.clear();
        text.push_str(tenant);
        for name in self.others.iter().filter(|name| !upstream.sets(name)) {
            if let Some(value) = inbound.headers.get(name) {
                scope::put_header(&mut text, name.as_str(), value.as_bytes());
            }
        }
        scope::put_query(&mut text, inbound.query.as_deref().unwrap_or_default());
        let done = then(&text);
        self.texts.give(text, String::capacity);
        done
    }

    /// What a request needs to land in a scope; `None` if that cannot be sent, which is so for none that came in a
    /// request.
    pub(super) fn outgoing(&self, text: &str) -> Option<(HeaderMap, Option<String>)> {
        let scope = Scope::of(text);
        let mut headers = HeaderMap::new();
        if !scope.tenant.is_empty() {
            headers.insert(self.tenant.clone()?, HeaderValue::from_bytes(scope.tenant.as_bytes()).ok()?);
        }
        for (name, value) in scope.headers() {
            headers
                .insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?);
        }
        Some((headers, scope.query().map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_goes_out_as_it_came_in_under_the_header_of_the_config() {
        let scopes = Scopes::new("X-Team");
        let (headers, query) = scopes.outgoing("größe\nx-scope-orgid=b\naccountid=m%E4x\n?db=1&x").unwrap();
        let value = |name: &str| headers[name].as_bytes().to_vec();
        assert_eq!(value("x-team"), "größe".as_bytes());
        assert_eq!((value("x-scope-orgid"), value("accountid")), (b"b".to_vec(), b"m\xe4x".to_vec()));
        assert_eq!((headers.len(), query.as_deref()), (3, Some("db=1&x")));
        assert_eq!(scopes.outgoing("").unwrap(), (HeaderMap::new(), None));
    }
}
