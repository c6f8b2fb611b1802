//! `upstreams[].oauth2`.

use super::Checker;
use crate::config::at::At;
use crate::config::raw::RawOauth2;
use crate::config::{OAuth2, Secret};

impl Checker<'_> {
    pub(super) fn oauth2(&mut self, at: &At<RawOauth2>) -> Option<OAuth2> {
        let raw = &at.value;
        let client_id = self.required(at.position, "client_id", raw.client_id.as_ref());
        let client_id = client_id.and_then(|id| self.expand(id.position, &id.value));
        let inline = raw.client_secret.as_ref().map(|at| (at.position, at.value.0.as_str()));
        let secret =
            self.inline_or_file(at.position, "client_secret", inline, raw.client_secret_file.as_ref());
        let token_url = self.required(at.position, "token_url", raw.token_url.as_ref());
        let token_url = token_url.and_then(|url| self.url(url));
        let scopes = raw.scopes.iter().filter_map(|scope| self.scope(scope)).collect();
        let pairs = raw.endpoint_params.iter().flat_map(|pairs| &pairs.0);
        let endpoint_params = pairs
            .filter_map(|(name, value)| {
                let value = self.expand(value.position, &value.value.0)?;
                Some((name.value.clone(), Secret::new(value)))
            })
            .collect();
        let tls =
            raw.tls.as_ref().map(|tls| self.inside("tls", |check| check.tls(tls, token_url.as_deref())));
        Some(OAuth2 {
            client_id: client_id?,
            client_secret: Secret::new(secret?.1),
            token_url: token_url?,
            scopes,
            endpoint_params,
            tls: tls.unwrap_or_default(),
        })
    }

    /// A list of scopes is sent as words.
    fn scope(&mut self, at: &At<String>) -> Option<String> {
        let scope = self.expand(at.position, &at.value)?;
        if scope.is_empty() || scope.contains(char::is_whitespace) {
            self.refuse(at.position, "a scope is one word; give several as a list");
        }
        Some(scope)
    }
}
