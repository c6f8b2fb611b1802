//! `upstreams[].oauth2`: client credentials, and the server that gives tokens for them.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretText;
use super::upstream::{Pairs, RawTls};
use crate::config::at::At;

/// OAuth 2.0 client credentials, as Prometheus has them. `${NAME}` is replaced in all values.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", schemars(extend("required" = ["client_id", "token_url"])))]
pub(crate) struct RawOauth2 {
    /// Who we are.
    #[cfg_attr(feature = "schema", schemars(required))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<At<String>>,
    /// What proves it; this or `client_secret_file`.
    pub(crate) client_secret: Option<At<SecretText>>,
    /// File that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret_file: Option<At<String>>,
    /// Where tokens come from, `http://` or `https://`.
    #[cfg_attr(feature = "schema", schemars(required))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_url: Option<At<String>>,
    /// What the token is to allow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) scopes: Vec<At<String>>,
    /// Further parameters of the request for a token, such as `audience`.
    pub(crate) endpoint_params: Option<Pairs<SecretText>>,
    /// TLS settings of that server, for an `https://` url only.
    pub(crate) tls: Option<At<RawTls>>,
}
