//! Where the data of a request lands: its tenant, and all else that is forwarded and decides it.
//!
//! A scope is known by a text. Where there is only a tenant it is the tenant's name. What there is beside it stands on
//! lines of its own, headers first: `name=value`, then `?query`. No header and no query string can hold the end of a
//! line, so one text is one scope.

use std::fmt::Write as _;

/// Headers that backends choose an account or a database by, lower case, in the order in which a scope has them. The
/// tenant header of the config is the tenant, whichever it is.
pub const HEADERS: [&str; 5] =
    ["x-scope-orgid", "thanos-tenant", "accountid", "projectid", "x-greptime-db-name"];

/// A scope whose text is longer is not told apart from others: it would fill memory.
pub const MAX_BYTES: usize = 4096;

/// What stands in a list of scopes where there is none; no scope has this text.
pub const VACANT: &str = "\n";

/// Adds a header that names an account; an empty value says as little as an absent header.
pub fn put_header(text: &mut String, name: &str, value: &[u8]) {
    if value.is_empty() {
        return;
    }
    text.push('\n');
    text.push_str(name);
    text.push('=');
    for byte in value {
        match byte {
            b' '..=b'~' if *byte != b'%' => text.push(char::from(*byte)),
            // writing to a string cannot fail
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
}

/// Adds the query string, the last part.
pub fn put_query(text: &mut String, query: &str) {
    if !query.is_empty() {
        text.push_str("\n?");
        text.push_str(query);
    }
}

/// A scope, read from its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'t> {
    /// The tenant's name; empty where there is none.
    pub tenant: &'t str,
    rest: &'t str,
}

impl<'t> Scope<'t> {
    /// The scope with this text.
    pub fn of(text: &'t str) -> Self {
        let (tenant, rest) = text.split_once('\n').unwrap_or((text, ""));
        Self { tenant, rest }
    }

    /// The headers beside the tenant's, and their values as they came.
    pub fn headers(self) -> impl Iterator<Item = (&'t str, Vec<u8>)> {
        self.lines().filter_map(|(name, value)| Some((name?, unescaped(value))))
    }

    /// The query string.
    pub fn query(self) -> Option<&'t str> {
        self.lines().find_map(|(name, value)| name.is_none().then_some(value))
    }

    /// What there is beside the tenant, for people. Of the query string only the names of parameters: values may be
    /// secret, and so may be what has no name.
    pub fn shown(self) -> String {
        let parts = self.lines().map(|(name, value)| match name {
            Some(name) => format!("{name}={value}"),
            None => {
                let names = value.split('&').map(|part| part.split_once('=').map_or("…", |(name, _)| name));
                format!("?{}", names.collect::<Vec<_>>().join("&"))
            }
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    /// Name and value of each header; the query has no name.
    fn lines(self) -> impl Iterator<Item = (Option<&'t str>, &'t str)> {
        self.rest.lines().filter_map(|line| match line.strip_prefix('?') {
            Some(query) => Some((None, query)),
            None => line.split_once('=').map(|(name, value)| (Some(name), value)),
        })
    }
}

/// The part of a scope's text that says whose the data is: the tenant and the headers that name an account, without the query.
pub fn account(text: &str) -> &str {
    text.split_once("\n?").map_or(text, |(account, _)| account)
}

/// The bytes that an escaped value stands for.
fn unescaped(value: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut parts = value.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.extend(digits);
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tenant: &str, headers: &[(&str, &[u8])], query: &str) -> String {
        let mut text = tenant.to_owned();
        headers.iter().for_each(|(name, value)| put_header(&mut text, name, value));
        put_query(&mut text, query);
        text
    }

    #[test]
    fn whose_data_it_is_the_query_does_not_say() {
        assert_eq!(account("a\naccountid=2\n?x=\n?y"), "a\naccountid=2");
        assert_eq!((account("a"), account("\n?secret=1"), account("")), ("a", "", ""));
    }

    #[test]
    fn a_tenant_alone_is_its_name() {
        assert_eq!(text("mandant-ä", &[], ""), "mandant-ä");
        assert_eq!(text("", &[("accountid", b"")], ""), "");
        let scope = Scope::of("mandant-ä");
        assert_eq!((scope.tenant, scope.query(), scope.headers().count()), ("mandant-ä", None, 0));
        assert_eq!(scope.shown(), "");
    }

    #[test]
    fn what_goes_in_comes_out() {
        let headers: [(&str, &[u8]); 3] =
            [("accountid", b"7"), ("projectid", b" %41=\xe4\t"), ("x-greptime-db-name", "größe".as_bytes())];
        let text = text("a", &headers, "extra_label=a=b&?x&db=1");
        let scope = Scope::of(&text);
        assert_eq!(scope.tenant, "a");
        let found: Vec<_> = scope.headers().collect();
        assert_eq!(found, headers.map(|(name, value)| (name, value.to_vec())));
        assert_eq!(scope.query(), Some("extra_label=a=b&?x&db=1"));
    }

    #[test]
    fn different_parts_are_different_texts() {
        let texts = [
            text("a", &[], ""),
            text("a", &[("accountid", b"1")], ""),
            text("a", &[("projectid", b"1")], ""),
            text("a", &[], "accountid=1"),
            text("a", &[("accountid", b"%E4")], ""),
            text("a", &[("accountid", b"\xe4")], ""),
            text("a\taccountid=1", &[], ""),
            VACANT.to_owned(),
        ];
        let different: std::collections::BTreeSet<&String> = texts.iter().collect();
        assert_eq!(different.len(), texts.len());
    }

    #[test]
    fn values_of_a_query_are_not_shown() {
        let text = text("a", &[("accountid", b"7")], "extra_label=team%3Dx&token=SECRET&SECRET");
        assert_eq!(Scope::of(&text).shown(), "accountid=7 ?extra_label&token&…");
    }
}
