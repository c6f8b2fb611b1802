//! What must never be seen in a log or an answer, should an upstream quote it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::AUTHORIZATION;

use super::Outbound;
use crate::config::{Upstream, UpstreamAuth, secrets_of_url};

/// Shorter header values and parts of a URL are not hidden: `1` or `true` stand in any text.
const SHORTEST: usize = 8;

/// Credentials, values of headers, parts of the URL.
pub(super) fn configured(upstream: &Upstream) -> Vec<String> {
    let mut secrets: Vec<String> = match &upstream.auth {
        UpstreamAuth::None => Vec::new(),
        UpstreamAuth::Basic(basic) => {
            vec![basic.password.expose().to_owned(), encoded(&basic.username, basic.password.expose())]
        }
        UpstreamAuth::Bearer(token) => vec![token.expose().to_owned()],
        UpstreamAuth::OAuth2(oauth2) => vec![oauth2.client_secret.expose().to_owned()],
    };
    secrets.retain(|secret| !secret.is_empty());
    let values = upstream.headers.iter().map(|(_, value)| value.expose().to_owned());
    let of_url = secrets_of_url(&upstream.url).into_iter().flat_map(|part| {
        let pieces: Vec<String> = pieces(&part).map(str::to_owned).collect();
        std::iter::once(part).chain(pieces)
    });
    secrets.extend(values.chain(of_url).filter(|value| value.len() >= SHORTEST));
    secrets
}

/// What a sender gave with its request: parts of the query, and its `Authorization`.
pub(super) fn of_sender(outbound: &Outbound) -> Vec<String> {
    let query = outbound.query.as_deref().unwrap_or_default();
    let authorization = outbound.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let words = authorization.unwrap_or_default().split(' ');
    let all = std::iter::once(query).chain(pieces(query)).chain(words);
    all.filter(|secret| secret.len() >= SHORTEST).map(str::to_owned).collect()
}

/// The values of a query.
fn pieces(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value)
}

/// User and password as `Authorization: Basic` has them.
pub(super) fn encoded(username: &str, password: &str) -> String {
    STANDARD.encode(format!("{username}:{password}"))
}
