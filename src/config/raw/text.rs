//! Kinds of text: what the schema says of a value whose meaning `check` reads.

use std::fmt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Deserialize;
#[cfg(feature = "schema")]
use serde::Serialize;

/// Duration as Prometheus writes it: whole numbers with units y, w, d, h, m, s, ms, larger units first.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(Serialize, JsonSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "schema", schemars(inline))]
pub(crate) struct DurationText(
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = r"^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
        ))
    )]
    pub(crate) String,
);

/// Size in bytes with its unit: B, KB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB, also written Ki, Mi, Gi, Ti, of 1024.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(Serialize, JsonSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "schema", schemars(inline))]
pub(crate) struct SizeText(
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[0-9]+ *([kKMGT]B|[KMGT]iB?|B)$")))]
    pub(crate) String,
);

/// A value that is never printed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretText(pub(crate) String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl From<&str> for DurationText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&str> for SizeText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}
