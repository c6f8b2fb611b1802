//! OAuth 2.0 towards an upstream.

use super::{Secret, Tls};

/// Client credentials (RFC 6749, section 4.4), for which a server gives tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct OAuth2 {
    /// Who we are.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Secret,
    /// Where tokens come from.
    pub token_url: String,
    /// What the token is to allow.
    pub scopes: Vec<String>,
    /// Further parameters of the request for a token, such as `audience`.
    pub endpoint_params: Vec<(String, Secret)>,
    /// TLS settings of that server.
    pub tls: Tls,
}
