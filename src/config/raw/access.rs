//! `listen.auth`, `listen.tls` and the same of `admin`: who may use a port, and under which certificate.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::SecretText;
use crate::config::at::At;

/// Who may use a port.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, bound(deserialize = "U: Deserialize<'de>"))]
pub(crate) struct RawAuth<U> {
    /// Those who may. Each has a name and a password, or a token.
    #[cfg_attr(feature = "schema", schemars(required, length(min = 1, max = 1000)))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) users: Vec<At<U>>,
}

impl<U> Default for RawAuth<U> {
    fn default() -> Self {
        Self { users: Vec::new() }
    }
}

/// One who may write. `${NAME}` is replaced in all values but `tenant`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawUser {
    /// Name, of HTTP basic.
    #[cfg_attr(feature = "schema", schemars(extend("type" = ["string", "number", "boolean", "null"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<At<String>>,
    /// Password; this or `password_file`.
    pub(crate) password: Option<At<SecretText>>,
    /// File that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<At<String>>,
    /// Token of `Authorization: Bearer …`, in place of a name and a password.
    pub(crate) bearer_token: Option<At<SecretText>>,
    /// File that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bearer_token_file: Option<At<String>>,
    /// All that this one writes belongs to this tenant, and a request that names another one is refused. Absent: whatever the
    /// tenant header says.
    #[cfg_attr(feature = "schema", schemars(extend("type" = ["string", "number", "boolean", "null"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<At<String>>,
}

/// One who may use the admin port. `${NAME}` is replaced in all values but `role`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAdminUser {
    /// Name, of HTTP basic.
    #[cfg_attr(feature = "schema", schemars(extend("type" = ["string", "number", "boolean", "null"])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<At<String>>,
    /// Password; this or `password_file`.
    pub(crate) password: Option<At<SecretText>>,
    /// File that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<At<String>>,
    /// Token of `Authorization: Bearer …`, in place of a name and a password.
    pub(crate) bearer_token: Option<At<SecretText>>,
    /// File that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bearer_token_file: Option<At<String>>,
    /// What this one may: `read` = metrics and reports, `change` = reload and bypass as well.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["read", "change"])))]
    pub(crate) role: At<String>,
}

impl Default for RawAdminUser {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            password_file: None,
            bearer_token: None,
            bearer_token_file: None,
            role: At::default_value("read"),
        }
    }
}

/// By which somebody is known, as it is written.
pub(crate) struct Login<'r> {
    pub(crate) username: Option<&'r At<String>>,
    pub(crate) password: Option<&'r At<SecretText>>,
    pub(crate) password_file: Option<&'r At<String>>,
    pub(crate) bearer_token: Option<&'r At<SecretText>>,
    pub(crate) bearer_token_file: Option<&'r At<String>>,
}

macro_rules! login {
    ($user:ident) => {
        impl $user {
            pub(crate) fn login(&self) -> Login<'_> {
                Login {
                    username: self.username.as_ref(),
                    password: self.password.as_ref(),
                    password_file: self.password_file.as_ref(),
                    bearer_token: self.bearer_token.as_ref(),
                    bearer_token_file: self.bearer_token_file.as_ref(),
                }
            }
        }
    };
}
login!(RawUser);
login!(RawAdminUser);

/// TLS of a port, 1.2 or newer. `${NAME}` is replaced in all values.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawServerTls {
    /// PEM certificate that the port shows, and behind it those that lead to its authority.
    #[cfg_attr(feature = "schema", schemars(required))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cert_file: Option<At<String>>,
    /// PEM key of that certificate.
    #[cfg_attr(feature = "schema", schemars(required))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<At<String>>,
    /// PEM certificates of authorities: whoever connects has to show a certificate of one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_ca_file: Option<At<String>>,
}

/// A section that may be absent. Where its key is there with nothing behind it, that is known: it would open a port that was to be
/// closed.
#[derive(Debug, Default)]
pub(crate) enum Section<T> {
    #[default]
    Absent,
    Given(At<Option<T>>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        At::deserialize(deserializer).map(Self::Given)
    }
}

impl<T> Section<T> {
    /// The section and its place, if its key is there.
    pub(crate) fn given(&self) -> Option<&At<Option<T>>> {
        match self {
            Self::Absent => None,
            Self::Given(at) => Some(at),
        }
    }
}
