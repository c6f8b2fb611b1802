//! `upstreams`: where samples go, and with what credentials.

use std::fmt;
use std::marker::PhantomData;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{DurationText, RawOauth2, RawQueue, SecretText, SizeText};
use crate::config::at::At;
use crate::config::yaml::{MERGE_KEY, NO_MERGE_KEYS};

/// One upstream.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
// To serde they are optional, so that `check` can report them together with other mistakes.
#[cfg_attr(feature = "schema", schemars(extend("required" = ["name", "url"])))]
pub(crate) struct RawUpstream {
    /// Name in our own metrics, logs and reports.
    #[cfg_attr(feature = "schema", schemars(required, regex(pattern = r"^[a-zA-Z0-9_-]{1,64}$"), extend("type" = ["string", "number", "boolean"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<At<String>>,
    /// The write endpoint, `http://` or `https://`. `${NAME}` is replaced by the environment's value.
    #[cfg_attr(feature = "schema", schemars(required))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<At<String>>,
    /// For one request in all, the retry included.
    pub(crate) timeout: At<DurationText>,
    /// For how long an idle connection is kept for reuse.
    pub(crate) idle_timeout: At<DurationText>,
    /// Kept connections older than this (±10%) are left for new ones, to whatever the name stands for by then; `0s` = never.
    pub(crate) max_connection_age: At<DurationText>,
    /// HTTP basic credentials.
    pub(crate) basic_auth: Option<At<RawBasicAuth>>,
    /// Sent as `Authorization: Bearer …`. `${NAME}` is replaced.
    pub(crate) bearer_token: Option<At<SecretText>>,
    /// File that holds the bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bearer_token_file: Option<At<String>>,
    /// OAuth 2.0 client credentials, for which a server gives bearer tokens.
    pub(crate) oauth2: Option<At<RawOauth2>>,
    /// Headers added to each request. `${NAME}` is replaced in values.
    pub(crate) headers: Option<Pairs<SecretText>>,
    /// Headers added to each request, name and file that holds the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) headers_from_files: Option<Pairs<String>>,
    /// Pass the sender's `Authorization` header on.
    pub(crate) forward_authorization: At<bool>,
    /// What the sender is told when the upstream answers 429: `pass` = 429, `retry` = 503.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["pass", "retry"])))]
    pub(crate) upstream_429: At<String>,
    /// Bytes of a body at most, compressed: larger ones are split before they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_body: Option<At<SizeText>>,
    /// What becomes of a request of which the upstream refuses something (400, 409, 422): `pass` = the sender is told, `bisect` = halves
    /// are sent alone until what is refused is found, for backends that keep nothing of such a request.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["pass", "bisect"])))]
    pub(crate) on_400: At<String>,
    /// In which form samples are sent: `auto` = as they came if the upstream takes that, else `v1`; `v1` = remote write 1.0 in snappy,
    /// `v2` = 2.0 in snappy, `zstd` = 1.0 in zstd.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["auto", "v1", "v2", "zstd"])))]
    pub(crate) protocol: At<String>,
    /// What is looked for in series beside what the gate cannot work with: `repair` = what can be mended without loss is, and what
    /// every backend refuses is rejected; `strict` = all of it is rejected; `off` = nothing is looked for.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["strict", "repair", "off"])))]
    pub(crate) validation: At<String>,
    /// Bytes of a label value at most that the upstream takes; longer ones are cut and given a hash. From `32B` to `16MiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_label_value: Option<At<SizeText>>,
    /// What becomes of longer label values: `cut` = as much of one goes on as there is room for, and a hash of all of it; `drop` = its
    /// series does not go on.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["cut", "drop"])))]
    pub(crate) long_values: At<String>,
    /// After so long a form that the upstream did not take is tried again, with `protocol: auto`.
    pub(crate) protocol_retry: At<DurationText>,
    /// When a sender is told that its data is safe: `sync` = when the upstream has it, `queue` = when it is on disk, in `data_dir`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["sync", "queue"])))]
    pub(crate) delivery: At<String>,
    /// The queue on disk, with `delivery: queue`.
    pub(crate) queue: Option<At<RawQueue>>,
    /// TLS settings, for an `https://` url only.
    pub(crate) tls: Option<At<RawTls>>,
}

impl Default for RawUpstream {
    fn default() -> Self {
        Self {
            name: None,
            url: None,
            timeout: At::default_value("25s"),
            idle_timeout: At::default_value("15s"),
            max_connection_age: At::default_value("5m"),
            basic_auth: None,
            bearer_token: None,
            bearer_token_file: None,
            oauth2: None,
            headers: None,
            headers_from_files: None,
            forward_authorization: At::default_value(false),
            upstream_429: At::default_value("pass"),
            max_body: None,
            on_400: At::default_value("pass"),
            protocol: At::default_value("auto"),
            validation: At::default_value("repair"),
            max_label_value: None,
            long_values: At::default_value("cut"),
            protocol_retry: At::default_value("1h"),
            delivery: At::default_value("sync"),
            queue: None,
            tls: None,
        }
    }
}

/// HTTP basic credentials. `${NAME}` is replaced in all values.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawBasicAuth {
    /// User; this or `username_file`.
    #[cfg_attr(feature = "schema", schemars(extend("type" = ["string", "number", "boolean", "null"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<At<String>>,
    /// File that holds the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username_file: Option<At<String>>,
    /// Password; this or `password_file`.
    pub(crate) password: Option<At<SecretText>>,
    /// File that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<At<String>>,
}

/// TLS towards the upstream. `${NAME}` is replaced in all values.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTls {
    /// PEM certificates to trust instead of the built-in roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<At<String>>,
    /// PEM client certificate; goes with `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert_file: Option<At<String>>,
    /// PEM key of the client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<At<String>>,
    /// Name to verify instead of the url's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_name: Option<At<String>>,
    /// Also trust the authorities that the machine trusts (`SSL_CERT_FILE`, `SSL_CERT_DIR`, else where the system has them).
    pub(crate) system_roots: bool,
    /// Verify nothing. For tests only.
    pub(crate) insecure_skip_verify: bool,
}

/// A mapping with the place of each key, in the order written.
#[derive(Debug)]
pub(crate) struct Pairs<T>(pub(crate) Vec<(At<String>, At<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of header names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(name) = map.next_key::<At<String>>()? {
            if name.value == MERGE_KEY {
                return Err(A::Error::custom(NO_MERGE_KEYS));
            }
            pairs.push((name, map.next_value()?));
        }
        Ok(Pairs(pairs))
    }
}
