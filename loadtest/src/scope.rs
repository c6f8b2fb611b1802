//! What decides where a sample lands, beside its labels: headers and the query of its request. Samples of the same labels
//! under different scopes are samples of different series.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity;

/// Headers that backends tell tenants apart by, in lower case: Mimir, Loki and Cortex; VictoriaMetrics; Thanos; GreptimeDB.
pub const HEADERS: [&str; 5] =
    ["x-scope-orgid", "accountid", "projectid", "thanos-tenant", "x-greptime-db-name"];

/// What a request says beside its body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What stands behind the question mark of the URL.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query: String,
}

impl Scope {
    /// What it adds to the identity of each series that is sent under it; 0 if it says nothing.
    pub fn salt(&self) -> u64 {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        salt(headers, Some(&self.query))
    }
}

/// What headers and a query add to the identity of a series.
pub fn salt<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>, query: Option<&str>) -> u64 {
    let telling = headers.into_iter().filter_map(|(name, value)| {
        let name = HEADERS.iter().find(|header| name.eq_ignore_ascii_case(header))?;
        // no label has such a name, so no label can be taken for a scope
        Some(identity::of_label(format!("\0{name}").as_bytes(), value.trim_ascii()))
    });
    let query = query.filter(|query| !query.is_empty());
    let query = query.map(|query| identity::of_label(b"\0query", query.as_bytes()));
    telling.chain(query).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_tenants_apart_counts_and_nothing_else() {
        let of = |headers: &[(&str, &str)], query| {
            salt(headers.iter().map(|(name, value)| (*name, value.as_bytes())), query)
        };
        assert_eq!(of(&[("user-agent", "x")], Some("")), 0);
        assert_eq!(of(&[("AccountID", "1")], None), of(&[("accountid", " 1")], None));
        assert_ne!(of(&[("AccountID", "1")], None), of(&[("ProjectID", "1")], None));
        assert_ne!(of(&[("AccountID", "1")], None), of(&[("AccountID", "1")], Some("a=b")));
        let scope = Scope { headers: [("AccountID".into(), "1".into())].into(), query: "a=b".into() };
        assert_eq!(scope.salt(), of(&[("AccountID", "1")], Some("a=b")));
    }
}
