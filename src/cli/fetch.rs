//! One GET to a gate's admin port.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::http::uri::Authority;
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::config::shown_url;

/// An answer at most.
const MAX_BYTES: usize = 256 << 20;

/// Where a gate's admin port is by itself.
pub(super) const ADMIN: &str = "http://127.0.0.1:9202";

/// Where an admin port is, as it was given: a URL, or host and port.
#[derive(Clone, Debug)]
pub(super) struct Admin(String);

impl FromStr for Admin {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let scheme = if given.contains("://") { "" } else { "http://" };
        let url = format!("{scheme}{given}");
        let example = format!("; expected something such as {ADMIN}");
        let uri: Uri = url.parse().map_err(|error| format!("it is not a URL: {error}{example}"))?;
        if uri.scheme_str() != Some("http") {
            return Err(format!(
                "it must start with http://, which is all that the admin port speaks{example}"
            ));
        }
        let authority = uri.authority().map_or("", Authority::as_str);
        if authority.contains('@') {
            return Err(format!("the admin port takes no user and password{example}"));
        }
        // what stands behind an IPv6 address in brackets, or behind a name
        let behind = authority.rsplit(']').next().unwrap_or_default();
        let port = behind.split_once(':').map(|(_, port)| port.parse::<u16>().unwrap_or(0));
        if port == Some(0) {
            return Err(format!("its port is not a number from 1 to 65535{example}"));
        }
        if uri.query().is_some() || given.contains('#') {
            return Err(format!("what is asked for is added to it, so it has no `?` and no `#`{example}"));
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }
}

/// As it is told: a part of its path may be a credential.
impl fmt::Display for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_url(&self.0))
    }
}

/// The answer's body, which has to be there within `limit`.
///
/// # Errors
/// If nobody answers, or the answer is not 200; says what to check.
pub(super) async fn get(admin: &Admin, path: &str, limit: Duration) -> Result<String> {
    let (url, status, text) = answer(admin, path, limit).await?;
    if !status.is_success() {
        let hint = if status.as_u16() == 404 { "; is this the gate's admin.address?" } else { "" };
        bail!("{url} answered {status}: {}{hint}", text.trim());
    }
    Ok(text)
}

/// What was asked, the status of the answer and its body, whatever the status.
///
/// # Errors
/// If nobody answers within `limit`; says what to check.
pub(super) async fn answer(
    admin: &Admin,
    path: &str,
    limit: Duration,
) -> Result<(String, StatusCode, String)> {
    let url = format!("{admin}{path}");
    let uri: Uri = format!("{}{path}", admin.0).parse().with_context(|| format!("`{url}` is not a URL"))?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let asked = async {
        let response = client.get(uri).await.with_context(|| {
            format!("no answer from {admin}; is a gate running there, with this as its admin.address?")
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
        Ok((url, status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::time::timeout(limit, asked)
        .await
        .with_context(|| format!("no answer from {admin} within {limit:?}"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_port_is_a_url_or_host_and_port() {
        for (given, url) in [
            (ADMIN, ADMIN),
            ("127.0.0.1:9202", ADMIN),
            ("http://gate:9202/", "http://gate:9202"),
            ("gate", "http://gate"),
            ("[::1]:9202", "http://[::1]:9202"),
            ("http://[::1]", "http://[::1]"),
            // behind a proxy
            ("http://proxy/gates/a", "http://proxy/gates/a"),
        ] {
            assert_eq!(given.parse::<Admin>().unwrap().0, url);
        }
    }

    #[test]
    fn an_unknown_part_of_its_path_is_told_to_nobody() {
        for (given, told) in [
            ("http://proxy:1/s3cr3t", "http://proxy:1/<secret>"),
            ("http://proxy:1/api/v1", "http://proxy:1/api/v1"),
            ("[::1]:9202", "http://[::1]:9202"),
        ] {
            assert_eq!(given.parse::<Admin>().unwrap().to_string(), told);
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        for (given, why) in [
            ("", "it is not a URL"),
            ("http://", "it is not a URL"),
            ("a gate", "it is not a URL"),
            ("ftp://gate", "it must start with http://"),
            ("https://gate:9202", "it must start with http://"),
            ("http://user:password@gate:9202", "no user and password"),
            ("gate:", "its port is not a number from 1 to 65535"),
            ("gate:0", "its port"),
            ("gate:99999", "its port"),
            ("[::1]:99999", "its port"),
            ("http://gate/?by=metric", "no `?` and no `#`"),
            ("gate#a", "no `?` and no `#`"),
        ] {
            let said = given.parse::<Admin>().unwrap_err();
            assert!(said.contains(why), "{given}: {said}");
            assert!(said.ends_with("expected something such as http://127.0.0.1:9202"), "{said}");
        }
    }
}
